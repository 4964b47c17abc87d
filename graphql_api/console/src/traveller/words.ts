import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    offline: 'Luring.',
    asOf: (at: string) => `Yang tampil adalah keadaan ${at}.`,
    waiting: (fixes: number, checkIns: number) =>
      [fixes && `${fixes} posisi`, checkIns && `${checkIns} lapor kehadiran`]
        .filter(Boolean)
        .join(' dan ')
        .concat(' menunggu dikirim'),
    signInToSend: 'Masuk lagi supaya yang menunggu terkirim.',
    refused: 'Ada yang ditolak:',
    newVersion: 'Versi baru tersedia.',
    reload: 'Muat ulang',
    recording: {
      off: 'Halaman ini tidak mencatat posisi.',
      outside: 'Halaman ini menunggu: tidak ada penugasan sekarang.',
      paused: 'Halaman ini menunggu sampai jeda berakhir.',
      starting: 'Mencari posisi…',
      recording: 'Halaman ini mencatat posisi',
      denied: 'Peramban tidak mengizinkan lokasi. Izinkan lokasi untuk halaman ini.',
      lost: 'Posisi tidak didapat. Catatan berlanjut begitu posisi didapat.',
      elsewhere: 'Halaman lain di peramban ini sudah mencatat.',
    },
  },
  {
    offline: 'Offline.',
    asOf: (at: string) => `What is shown is as of ${at}.`,
    waiting: (fixes: number, checkIns: number) =>
      [
        fixes && `${fixes} ${fixes === 1 ? 'position' : 'positions'}`,
        checkIns && `${checkIns} ${checkIns === 1 ? 'check-in' : 'check-ins'}`,
      ]
        .filter(Boolean)
        .join(' and ')
        .concat(' waiting to be sent'),
    signInToSend: 'Sign in again to send what waits.',
    refused: 'Something was refused:',
    newVersion: 'A new version is here.',
    reload: 'Reload',
    recording: {
      off: 'This page does not record positions.',
      outside: 'This page waits: there is no assignment now.',
      paused: 'This page waits until the pause ends.',
      starting: 'Looking for the position…',
      recording: 'This page records positions',
      denied: 'The browser does not allow location. Allow location for this page.',
      lost: 'No position is to be had. Recording goes on as soon as there is one.',
      elsewhere: 'Another page of this browser records already.',
    },
  },
);
