import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Aturan penilaian',
    about:
      'Perjalanan dinilai menurut versi yang berlaku pada hari pertamanya. Yang sudah ditutup tetap pada versi penutupannya.',
    version: (number: number) => `Versi ${number}`,
    inForce: 'Berlaku sekarang',
    since: 'sejak',
    legalBasis: 'Dasar hukum',
    reading: 'Membaca jejak',
    guards: 'Pengaman',
    off: 'Tidak diterapkan',
    standard: 'Baku',
    add: 'Tambah versi',
    addTitle: 'Versi aturan baru',
    addAbout:
      'Formulir ini berangkat dari versi yang berlaku sekarang. Versi yang ada tidak pernah diubah.',
    dryRun: (slug: string) =>
      `Untuk melihat lebih dahulu perjalanan mana yang akan dinilai lain, beri versi ini tanggal mulai yang akan datang, lalu minta pengelola layanan menjalankan: jejak rules try ${slug}`,
    validFrom: 'Mulai berlaku',
    validUntil: 'Sampai dengan (kosong: sampai ada penggantinya)',
    enabled: 'Diterapkan',
    save: 'Tambahkan versi ini',
    added: (number: number) => `Versi ${number} ditambahkan.`,
    back: 'Ke daftar versi',
    nothingChanged: 'Semua parameter bernilai baku.',
  },
  {
    title: 'Rules for judging trips',
    about:
      'A trip is judged by the version that is valid on its first day. Closed trips stay under the version they were closed by.',
    version: (number: number) => `Version ${number}`,
    inForce: 'In force now',
    since: 'since',
    legalBasis: 'Legal basis',
    reading: 'Reading the track',
    guards: 'Guards',
    off: 'Not applied',
    standard: 'Standard',
    add: 'Add a version',
    addTitle: 'A new version of the rules',
    addAbout:
      'The form begins from the version in force now. Versions that exist are never changed.',
    dryRun: (slug: string) =>
      `To see beforehand which trips would be judged otherwise, let this version begin on a later day, and ask whoever runs the service for: jejak rules try ${slug}`,
    validFrom: 'Valid from',
    validUntil: 'Until (empty: until another follows)',
    enabled: 'Applied',
    save: 'Add this version',
    added: (number: number) => `Version ${number} was added.`,
    back: 'To the versions',
    nothingChanged: 'All parameters are standard.',
  },
);
