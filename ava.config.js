export default {
  extensions: { ts: 'module' },
  files: ['test/**/*.test.ts', '!test/real/**', '!test/fixtures/**'],
  timeout: '60s',
};
