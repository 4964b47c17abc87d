import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Hari ini',
    about: (date: string) => `Siapa bertugas di mana, ${date}.`,
    waiting: (count: number) => `${count} usulan menunggu persetujuan`,
    map: 'Lihat di peta langsung',
    traveller: 'Pelaksana',
    planned: 'Menurut rencana',
    seen: 'Terakhir terlihat',
    unknown: 'tidak diketahui',
    offMap: 'di luar peta',
    onTheWay: 'di perjalanan',
    until: (date: string) => `sampai ${date}`,
    none: 'Hari ini tidak ada yang bertugas.',
    differs: 'di luar rencana hari ini',
    people: (count: string) => `${count} pelaksana`,
  },
  {
    title: 'Today',
    about: (date) => `Who is on a trip where, ${date}.`,
    waiting: (count) =>
      count === 1 ? '1 proposal waits for approval' : `${count} proposals wait for approval`,
    map: 'See on the live map',
    traveller: 'Traveller',
    planned: 'Planned',
    seen: 'Last seen',
    unknown: 'unknown',
    offMap: 'off the map',
    onTheWay: 'on the way',
    until: (date) => `until ${date}`,
    none: 'Nobody is on a trip today.',
    differs: 'not where planned today',
    people: (count) => `${count} travellers`,
  },
);
