import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Uang harian',
    about:
      'Rupiah per hari menurut provinsi tujuan, dari peraturan daerah ini. Jejak Dinas tidak membawa satu tarif pun; tanpa tarif, temuan tidak menyebut rupiah.',
    none: 'Belum ada tarif.',
    province: 'Provinsi tujuan',
    choose: 'Pilih provinsi',
    amount: 'Rupiah per hari',
    validity: 'Masa berlaku',
    validFrom: 'Mulai berlaku',
    validUntil: 'Sampai dengan (kosong: sampai ada penggantinya)',
    legalBasis: 'Dasar hukum',
    add: 'Tambah tarif',
    addDo: 'Tambah',
    added: 'Tarif ditambahkan.',
    since: 'sejak',
    end: 'Tentukan hari terakhir',
    lastDay: (province: string) => `Hari terakhir tarif ${province}`,
  },
  {
    title: 'Daily allowances',
    about:
      "Rupiah a day by province of destination, from this regency's regulation. Jejak Dinas ships none; without a rate, deviations name no rupiah.",
    none: 'No rate yet.',
    province: 'Province of destination',
    choose: 'Choose a province',
    amount: 'Rupiah a day',
    validity: 'Valid',
    validFrom: 'Valid from',
    validUntil: 'Until (empty: until another follows)',
    legalBasis: 'Legal basis',
    add: 'Add a rate',
    addDo: 'Add',
    added: 'The rate was added.',
    since: 'since',
    end: 'Set its last day',
    lastDay: (province: string) => `Last day of the rate for ${province}`,
  },
);
