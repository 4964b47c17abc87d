import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Lapor kehadiran',
    show: 'Tampilkan foto',
    photo: (at: string) => `Foto lapor kehadiran, ${at}`,
    digest: 'Sidik foto',
    north: 'LU',
    south: 'LS',
    east: 'BT',
  },
  {
    title: 'Check-ins',
    show: 'Show the photo',
    photo: (at: string) => `Photo of the check-in, ${at}`,
    digest: 'Digest of the photo',
    north: 'N',
    south: 'S',
    east: 'E',
  },
);
