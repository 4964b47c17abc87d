import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Permintaan penjelasan',
    about: 'Yang ditanyakan provinsi kepada daerah, yang terbaru dahulu.',
    state: 'Keadaan',
    none: 'Tidak ada pertanyaan yang cocok.',
    open: 'Buka temuan',
    answered: 'Jawaban terakhir',
  },
  {
    title: 'Questions to regencies',
    about: 'What the province asked the regencies, newest first.',
    state: 'State',
    none: 'No questions fit.',
    open: 'Open the deviation',
    answered: 'Last answer',
  },
);
