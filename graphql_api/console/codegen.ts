import type { CodegenConfig } from '@graphql-codegen/cli';

const near = (types: string) => ({
  preset: 'near-operation-file' as const,
  presetConfig: { baseTypesPath: types, extension: '.generated.ts' },
  plugins: ['typescript-operations', 'typed-document-node'],
});

const config: CodegenConfig = {
  config: {
    enumsAsTypes: true,
    useTypeImports: true,
    strictScalars: true,
    defaultScalarType: 'unknown',
    avoidOptionals: { field: true },
    scalars: {
      Date: 'string',
      DateTime: 'string',
      UUID: 'string',
      Rupiah: 'string',
      GeoJSON: '@/track#TrackFeature',
      JSON: 'unknown',
    },
  },
  generates: {
    'src/generated/tenant.ts': { schema: '../schema.graphql', plugins: ['typescript'] },
    'src/generated/province.ts': { schema: '../province.graphql', plugins: ['typescript'] },
    'src/': {
      schema: '../schema.graphql',
      documents: ['src/**/*.graphql', '!src/pages/regencies/*.graphql'],
      ...near('generated/tenant.ts'),
    },
    'src/pages/regencies/': {
      schema: '../province.graphql',
      documents: 'src/pages/regencies/*.graphql',
      ...near('../../generated/province.ts'),
    },
  },
};

export default config;
