import { texts } from '@/language/language.svelte';

/** What several views of the province say. */
export const t = texts(
  {
    regency: 'Daerah',
    all: 'Semua',
    from: 'Dari bulan',
    until: 'Sampai bulan',
    export: 'Unduh untuk lembar kerja',
    never: 'Belum pernah terhubung',
    fresh: (age: string) => `Diperbarui ${age}`,
    unreachable: (age: string) => `Tidak terjangkau, data ${age}`,
    copying: 'Sedang disalin, belum lengkap',
    resync: 'Perlu disalin ulang oleh pengelola',
    asked: 'Ditanyakan',
    states: { OPEN: 'Menunggu jawaban', ANSWERED: 'Sudah dijawab', CLOSED: 'Ditutup' },
  },
  {
    regency: 'Regency',
    all: 'All',
    from: 'From month',
    until: 'Until month',
    export: 'Download for spreadsheets',
    never: 'Never connected',
    fresh: (age) => `Updated ${age}`,
    unreachable: (age) => `Unreachable, data of ${age}`,
    copying: 'Being copied, not complete',
    resync: 'The operator must copy it anew',
    asked: 'Asked',
    states: { OPEN: 'Awaiting an answer', ANSWERED: 'Answered', CLOSED: 'Closed' },
  },
);

/** How the states of a question look. */
export const ofQuestion = { OPEN: 'warn', ANSWERED: 'good', CLOSED: 'plain' } as const;
