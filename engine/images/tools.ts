/** The programs that building takes, by what is built. */
export const buildTools = {
  images: ['apt-cache', 'apt-config', 'flock', 'mmdebstrap', 'tar', 'unshare'],
  'the guest kit': ['apt-cache', 'apt-get', 'dpkg-deb', 'go', 'mksquashfs'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
