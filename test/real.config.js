export default {
  extensions: { ts: 'module' },
  files: ['test/real/**/*.test.ts'],
  concurrency: 1,
  timeout: '10m',
};
