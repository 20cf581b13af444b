// Options of shares as classes and volumes have them, each list as mount(8) is given it.

/** Lists of which mount(8) makes nothing but an order. */
const plain = [
  [],
  ['ro'],
  ['rw'],
  ['ro,rw'],
  ['rw', 'ro'],
  ['nfsvers=4.1', 'nconnect=16'],
  ['nfsvers=4.1', 'nconnect=16', 'hard', 'timeo=600', 'retrans=2', 'noresvport', 'noatime'],
  ['nolock,ro,hard'],
  ['vers=3', 'proto=tcp', 'mountport=635', 'port=2049', 'mountproto=tcp', 'nolock'],
  ['vers=4.2', 'sec=krb5p', 'rsize=1048576', 'wsize=1048576', 'lookupcache=positive'],
  ['soft', 'actimeo=3', 'nodiratime', 'nosuid', 'nodev', 'noexec', 'relatime'],
  ['hard', 'nosuid', 'vers=4.1', 'noatime', 'ro'],
  ['noatime', 'hard', 'noatime'],
  ['nodev', 'nosuid'],
  ['vers=4.1', 'vers=3', 'hard', 'hard'],
  [',,ro,,', ',hard'],
  ['clientaddr=fd00::1', 'fsc', 'local_lock=all', 'write=eager', 'xprtsec=tls'],
  ['bg', 'retry=0', 'nocto', 'noac', 'acregmin=1', 'acregmax=2', 'acdirmin=3', 'acdirmax=4'],
]

/** Lists of which it makes something, or that hold what nobody knows: they are left to it. */
const others = [
  ['_netdev', 'vers=3'],
  ['nofail'],
  ['noauto,user'],
  ['x-systemd.automount', 'hard'],
  ['defaults', 'hard'],
  ['context="system_u:object_r:container_file_t:s0:c1,c2"'],
  ['context=system_u:object_r:nfs_t'],
  ['comment=a', 'ro'],
  ['ro=1'],
  ['rw=', 'hard'],
  ['noatime', 'atime'],
  ['sync', 'async'],
  ['noexec,exec'],
  ['rprivate', 'hard'],
  ['uhelper=other'],
  ['remount', 'ro'],
  ['timeo="1,2"'],
  ['hard x'],
  ['HARD'],
  ['unheard=of'],
]

export const optionLists: readonly (readonly string[])[] = [...plain, ...others]
export const plainCount: number = plain.length
