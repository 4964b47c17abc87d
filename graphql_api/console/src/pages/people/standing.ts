import type { Role } from '@/generated/tenant';
import { t } from '@/language/language.svelte';

/** The roles of a regency; overseers are the province's. */
export const ROLES: readonly Role[] = [
  'TRAVELLER',
  'OPERATOR',
  'HEAD_OF_OFFICE',
  'TREASURER',
  'INSPECTOR',
  'HOST_DESK',
  'TENANT_ADMIN',
];

interface Standing {
  roles: readonly Role[];
  position: string | null;
  office: { name: string } | null;
}

/** In one line: roles, position, office. */
export const inWords = ({ roles, position, office }: Standing): string =>
  [roles.map((role) => t().roles[role]).join(', ') || '–', position, office?.name]
    .filter(Boolean)
    .join(' · ');
