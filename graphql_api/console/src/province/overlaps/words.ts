import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Tugas rangkap',
    about:
      'Satu orang bertugas untuk dua daerah pada hari yang sama, ditemukan menurut nama samaran.' +
      ' Kedua daerah tidak saling melihat perjalanannya.',
    none: 'Tidak ada tugas rangkap.',
    days: (days: string) => `${days} hari rangkap`,
    pseudonym: 'Nama samaran',
    trip: 'Perjalanan',
    dates: 'Tanggal',
    state: 'Keadaan',
    ended: 'berakhir',
  },
  {
    title: 'Overlaps',
    about:
      'One person on trips of two regencies on the same days, found by pseudonym.' +
      " Neither regency sees the other's trip.",
    none: 'No overlaps.',
    days: (days) => `${days} days in common`,
    pseudonym: 'Pseudonym',
    trip: 'Trip',
    dates: 'Dates',
    state: 'State',
    ended: 'ended',
  },
);
