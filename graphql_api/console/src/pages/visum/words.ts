import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Kode visum',
    show: 'Tunjukkan kode visum',
    about: 'Tunjukkan kepada petugas di daerah tujuan: ia memindainya atau mengetik angkanya.',
    leg: 'Tujuan',
    due: 'Yang sekarang',
    qr: 'Kode QR visum, untuk dipindai petugas',
    digits: 'Kode sekali pakai',
    left: (seconds: number) => `Berganti dalam ${seconds} detik`,
    none:
      'Tidak ada kode untuk saat ini. Kode ada sejak tiga hari sebelum tiba sampai tiga hari' +
      ' sesudah kembali, bila daerah tujuan memakai layanan ini.',
    confirmed: 'Yang sudah dikonfirmasi',
    unconfirmed: 'Belum ada.',
    events: { ARRIVAL: 'Tiba di', DEPARTURE: 'Berangkat dari' },
    withdrawn: 'dicabut',
    back: 'Kembali ke perjalanan',
  },
  {
    title: 'Visum code',
    show: 'Show the visum code',
    about: 'Show it to the desk at your destination: they scan it, or type the digits.',
    leg: 'Destination',
    due: 'The current one',
    qr: 'QR code of the visum, for the desk to scan',
    digits: 'One-time code',
    left: (seconds) => `Another one in ${seconds} seconds`,
    none:
      'There is no code now. There is one from three days before you arrive until three days' +
      ' after you depart, where the destination uses this service.',
    confirmed: 'Confirmed so far',
    unconfirmed: 'Nothing yet.',
    events: { ARRIVAL: 'Arrived in', DEPARTURE: 'Departed from' },
    withdrawn: 'withdrawn',
    back: 'Back to the trip',
  },
);
