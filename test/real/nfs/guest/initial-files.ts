// The guest's files: busybox, util-linux' mount with mount.nfs of Debian, the kernel's modules, and what a check adds. They are its whole root and lie in memory.

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { mountPrograms } from '../../../../scripts/image/debian-base.ts'
import { PartUnavailable } from '../../cache.ts'
import { needPrograms, placeOf } from '../../machine-programs.ts'
import { runCommand } from '../../run-command.ts'
import { copyModules, type Kernel } from './kernel.ts'

/** A program for the guest, or a folder as it is: where it lies here, and where there. */
export interface GuestProgram {
  readonly from: string
  readonly to: string
}

/** What drivers call, as our image has it and nothing else: those of busybox take fewer options. */
const ofImage = mountPrograms.filter(path => path.startsWith('usr/bin/')).map(path => basename(path))

/** The network card, and NFS with its server. */
const modules = ['virtio_pci', 'virtio_net', 'nfsv4', 'nfsv3', 'nfsd']

const start = (files: readonly string[], shellPort: number) => `#!/bin/busybox sh
/bin/busybox --install -s /bin
/usr/bin/mount -t proc proc /proc
/usr/bin/mount -t sysfs sysfs /sys
/usr/bin/mount -t devtmpfs dev /dev
/usr/bin/mount -t tmpfs tmpfs /run
/usr/bin/mount -t tmpfs tmpfs /tmp
ln -s /proc/self/mounts /etc/mtab
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
for module in ${files.join(' ')}; do insmod /modules/$module || echo "guest: no $module"; done
hostname guest
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
route add default gw 10.0.2.2
echo "guest: ready"
exec nc -ll -p ${shellPort} -e /bin/sh
`

/** Writes the tree and packs it. @returns the path of the archive that the kernel unpacks */
export async function packInitialFiles(
  directory: string,
  kernel: Kernel,
  {
    programs,
    hosts,
    shellPort,
  }: {
    readonly programs: readonly GuestProgram[]
    /** Names by address, as `/etc/hosts` has them. */
    readonly hosts: Readonly<Record<string, string>>
    readonly shellPort: number
  },
): Promise<string> {
  const root = join(directory, 'root')
  for (const folder of ['bin', 'sbin', 'usr/bin', 'usr/sbin', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'var/lib', 'mnt'])
    mkdirSync(join(root, folder), { recursive: true })
  await needPrograms('busybox', 'ganesha.nfsd')
  const place = (name: string) => {
    const found = placeOf(name)
    if (found === undefined) throw new PartUnavailable(`there is no ${name} for the guest`)
    return found
  }
  const unpacked = join(dirname(dirname(place('ganesha.nfsd'))), 'root')
  const busybox = join(dirname(dirname(place('busybox'))), 'root')
  copyProgram(root, { from: firstOf(globSync('{usr/,}bin/busybox', { cwd: busybox }), busybox), to: '/bin/busybox' })
  for (const name of ofImage) await copyWithLibraries(root, { from: place(name), to: `/usr/bin/${name}` }, [])
  const libraries = globSync('{usr/,}lib/*-linux-gnu', { cwd: unpacked }).map(path => join(unpacked, path))
  const helper = firstOf(globSync('{usr/,}sbin/mount.nfs', { cwd: unpacked }), unpacked)
  for (const to of ['/sbin/mount.nfs', '/sbin/umount.nfs', '/sbin/mount.nfs4'])
    await copyWithLibraries(root, { from: helper, to }, libraries)
  for (const program of programs) {
    if (statSync(program.from).isDirectory()) cpSync(program.from, join(root, program.to), { recursive: true })
    else await copyWithLibraries(root, program, libraries)
  }
  const order = copyModules(kernel, modules, join(root, 'modules'))
  const files: Readonly<Record<string, string>> = {
    'etc/hosts': `127.0.0.1 localhost guest\n${Object.entries(hosts)
      .map(([address, names]) => `${address} ${names}\n`)
      .join('')}`,
    'etc/passwd': 'root:x:0:0:root:/:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/nsswitch.conf': 'hosts: files\nprotocols: files\nservices: files\n',
    'etc/protocols': 'tcp 6 TCP\nudp 17 UDP\n',
    'etc/services': 'nfs 2049/tcp\nsunrpc 111/tcp\n',
    'etc/netconfig': 'tcp tpi_cots_ord v inet tcp - -\nudp tpi_clts v inet udp - -\ntcp6 tpi_cots_ord v inet6 tcp - -\n',
    init: start(order, shellPort),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text)
  chmodSync(join(root, 'init'), 0o755)
  return await packed(root, join(directory, 'initial-files.cpio'))
}

function firstOf(found: readonly string[], below: string): string {
  const [first] = found
  if (first === undefined) throw new PartUnavailable(`a Debian package lacks a program below ${below}`)
  return join(below, first)
}

function copyProgram(root: string, { from, to }: GuestProgram): void {
  const place = join(root, to)
  mkdirSync(dirname(place), { recursive: true })
  copyFileSync(realpathSync(from), place)
  chmodSync(place, 0o755)
}

/** With the libraries that the loader finds for it: in `libraries`, then where this machine has them. A static program has none. */
async function copyWithLibraries(root: string, program: GuestProgram, libraries: readonly string[]): Promise<void> {
  copyProgram(root, program)
  const [loader] = globSync('/lib64/ld-linux-*.so.*')
  if (loader === undefined) throw new PartUnavailable('no loader of the GNU C library on this machine')
  const path = [...libraries, '/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu'].join(':')
  const listed = await runCommand(loader, ['--library-path', path, '--list', realpathSync(program.from)])
  if (listed.code !== 0) return // "statically linked" or not for the loader: it needs nothing beside it
  for (const [, found = ''] of listed.stdout.matchAll(/=> (\/\S+)/g)) {
    const place = join(root, 'lib', 'x86_64-linux-gnu', basename(found))
    mkdirSync(dirname(place), { recursive: true })
    if (!existsSync(place)) copyFileSync(realpathSync(found), place)
  }
  const place = join(root, loader)
  mkdirSync(dirname(place), { recursive: true })
  if (!existsSync(place)) copyFileSync(realpathSync(loader), place)
  const usual = join(root, 'usr', 'lib')
  if (!existsSync(usual)) symlinkSync('../lib', usual)
}

async function packed(root: string, archive: string): Promise<string> {
  const names = globSync('**', { cwd: root }).filter(name => name !== '.')
  const busybox = placeOf('busybox')
  if (busybox === undefined) throw new PartUnavailable('there is no busybox')
  const done = await runCommand(busybox, ['cpio', '-o', '-H', 'newc', '-F', archive], {
    cwd: root,
    input: `${names.join('\n')}\n`,
  })
  if (done.code !== 0) throw new Error(`the initial files cannot be packed: ${done.stderr.trim()}`)
  return archive
}
