import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Peringkat daerah',
    about:
      'Menurut bagian perjalanan yang menyimpang, dengan kehati-hatian: urutannya menurut batas' +
      ' bawah selang 95%. Sedikit perjalanan membuktikan sedikit.',
    legend: 'Batang: bagian yang menyimpang. Garis: selang 95%. Skala 0% sampai 100%.',
    none: 'Belum ada perjalanan yang diperiksa pada masa ini.',
    range: (from: string, to: string) => `dapat juga ${from}–${to}`,
    apart: 'Dapat dibedakan',
    together: 'Belum dapat dibedakan',
    few: 'Sedikit perjalanan',
    of: (deviating: string, judged: string) => `${deviating} dari ${judged} perjalanan`,
    interval: (low: string, high: string) => `selang ${low}–${high}`,
  },
  {
    title: 'Ranking of regencies',
    about:
      'By the share of trips that deviate, with caution: in the order of the lower bound of the' +
      ' 95% interval. Few trips prove little.',
    legend: 'Bar: the share that deviates. Line: the 95% interval. From 0% to 100%.',
    none: 'No trips were judged in this span.',
    range: (from, to) => `could be ${from}–${to}`,
    apart: 'Told apart',
    together: 'Not told apart',
    few: 'Few trips',
    of: (deviating, judged) => `${deviating} of ${judged} trips`,
    interval: (low, high) => `interval ${low}–${high}`,
  },
);
