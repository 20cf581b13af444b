// What mount(8) starts for a share is mount.nfs, told what mount(8) makes of the options. Where it makes nothing of them, mount.nfs is started without it: a
// process less for each volume. Where it does (`_netdev`, `user`, `x-systemd.…`, `context=…`), it is asked as before.

import { splitOptions } from './mount-options.ts'

/** Options of nfs(5) in version 2.8 of nfs-utils, without `context`: they are for mount.nfs alone, in the order in which they stand. */
const ofShares = new Set(
  (
    'nfsvers vers minorversion proto udp udp6 tcp tcp6 rdma rdma6 port soft softerr hard softreval nosoftreval intr nointr timeo retrans rsize wsize ' +
    'ac noac acregmin acregmax acdirmin acdirmax actimeo bg fg nconnect max_connect trunkdiscovery notrunkdiscovery rdirplus nordirplus retry sec ' +
    'sharecache nosharecache resvport noresvport lookupcache fsc nofsc sloppy xprtsec write mountport mountproto mounthost mountvers namlen lock nolock ' +
    'cto nocto acl noacl local_lock clientaddr migration nomigration'
  ).split(' '),
)

/** Flags of any mount that mount(8) hands on; those that take another one back are left to it. */
const ofMounts = new Set(['nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime'])

/** `server:/share`: nothing that begins with a dash, and no `LABEL=` of a disk. */
const plainSource = /^(?:\[[\da-f:.%\w]+\]|\w[\w.-]*):\//i
/** Without quotes, in which commas may stand. */
const plainOption = /^(\w+)(?:=[\w.:/%@+-]+)?$/

interface Share {
  readonly source: string
  readonly target: string
  /** Each may hold several by commas. */
  readonly options: readonly string[]
}

/** Arguments by which mount(8) of util-linux would start mount.nfs; undefined where that is left to mount(8). */
export function helperArguments({ source, target, options }: Share): readonly string[] | undefined {
  if (!plainSource.test(source) || !target.startsWith('/')) return undefined
  let access = 'rw'
  const flags = new Set<string>()
  const others: string[] = []
  for (const option of splitOptions(options)) {
    const name = plainOption.exec(option)?.[1] ?? ''
    if (option === 'ro' || option === 'rw') access = option
    else if (ofMounts.has(option)) flags.add(option)
    else if (ofShares.has(name)) others.push(option)
    else return undefined
  }
  return [source, target, '-o', [access, ...flags, ...others].join(',')]
}
