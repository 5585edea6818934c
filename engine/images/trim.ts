/**
 * What no image keeps: paths that serve nobody in an appliance, or differ from one machine or moment to the next.
 *
 * A folder stands for what lies in it and stays itself, because programs expect it.
 */
const droppedFolders: readonly string[] = [
  // made anew at every start
  'dev',
  'proc',
  'run',
  'sys',
  'tmp',
  'var/tmp',
  // for people at a desk
  'usr/share/bash-completion',
  'usr/share/info',
  'usr/share/lintian',
  'usr/share/locale',
  'usr/share/man',
  // what apt can fetch again, and where it fetched it here
  'etc/apt/sources.list.d',
  'var/cache/apt',
  'var/lib/apt/lists',
];

const droppedFiles: readonly RegExp[] = [
  /^usr\/share\/doc\/.*\/(?!copyright$)[^/]*$/, // licences stay, as they demand
  // the identity of an instance is never part of an image
  /^etc\/(hostname|hosts|machine-id|resolv\.conf)$/,
  /^etc\/ssh\/ssh_host_/,
  /^etc\/ssl\/(certs|private)\/ssl-cert-snakeoil\./,
  /^var\/lib\/dbus\/machine-id$/,
  // traces of the build
  /^etc\/apt\/sources\.list$/,
  /^etc\/(apt\/apt\.conf\.d|dpkg\/dpkg\.cfg\.d)\/\d+mmdebstrap$/, // the mirrors' settings of this machine
  /^etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$/,
  /^etc\/\.pwd\.lock$/,
  /^usr\/sbin\/policy-rc\.d$/,
  /^var\/cache\/(ldconfig\/aux-cache|debconf\/.*-old)$/,
  /^var\/lib\/dpkg\/(.*-old|lock.*|triggers\/Lock)$/,
];

/**
 * Tells whether an image leaves a path out.
 *
 * @param path - relative to the root, without a slash at either end
 */
export function isTrimmed(path: string, isFolder: boolean): boolean {
  if (droppedFolders.some((folder) => path.startsWith(`${folder}/`))) return true;
  // compiled again at need; the compiled form holds the time of the build
  if (path.split('/').includes('__pycache__')) return true;
  if (!isFolder && path.startsWith('var/log/')) return true;
  return !isFolder && droppedFiles.some((pattern) => pattern.test(path));
}
