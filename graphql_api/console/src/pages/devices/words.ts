import { texts } from '@/language/language.svelte';

export const t = texts(
  {
    title: 'Ponsel yang disandingkan',
    about:
      'Yang dikirim ponsel menjadi bukti pemiliknya. Token yang dicabut tidak membuka apa pun lagi.',
    search: 'Cari nama pemilik',
    which: 'Keadaan',
    paired: 'Tersanding',
    revoked: 'Dicabut',
    none: 'Tidak ada ponsel di sini.',
    pairedAt: 'disandingkan',
    seen: 'terakhir terdengar',
    unseen: 'belum pernah terdengar',
    revokedAt: 'dicabut',
    revoke: 'Cabut',
    sure: 'Cabut ponsel ini?',
  },
  {
    title: 'Paired phones',
    about: "What a phone sends is its owner's evidence. A revoked token opens nothing any more.",
    search: "Search by owner's name",
    which: 'State',
    paired: 'Paired',
    revoked: 'Revoked',
    none: 'No phone here.',
    pairedAt: 'paired',
    seen: 'last heard of',
    unseen: 'never heard of',
    revokedAt: 'revoked',
    revoke: 'Revoke',
    sure: 'Revoke this phone?',
  },
);
