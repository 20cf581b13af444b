// Debian's cloud kernel with its modules for NFS, unpacked and never installed: it boots in qemu without a disk.

import { copyFileSync, globSync, mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cacheDirectory, PartUnavailable } from '../../cache.ts'
import { aptOptions, machineSuite, programPath } from '../../control-plane/debian.ts'
import { runCommand } from '../../run-command.ts'

export interface Kernel {
  /** As `uname -r` says it. */
  readonly release: string
  readonly image: string
  /** Folder below which the modules lie. */
  readonly modules: string
}

/** @throws PartUnavailable where Debian's package cannot be had */
export async function cloudKernel(): Promise<Kernel> {
  const suite = machineSuite()
  const cache = cacheDirectory(`debian-${suite}`)
  const found = () => globSync('linux-image-*-cloud-amd64/boot/vmlinuz-*', { cwd: cache }).toSorted().at(-1)
  let image = found()
  if (image === undefined) {
    const options = await aptOptions(suite, cache)
    const asked = await runCommand('apt-cache', [...options, 'depends', 'linux-image-cloud-amd64'])
    // The package without a version in its name stands for the newest.
    const name = /Depends: (linux-image-\S+-cloud-amd64)/.exec(asked.stdout)?.[1]
    if (name === undefined) throw new PartUnavailable(`Debian ${suite} has no cloud kernel: ${asked.stderr.trim()}`)
    const release = name.replace('linux-image-', '')
    await programPath(suite, name, `boot/vmlinuz-${release}`)
    image = found()
  }
  if (image === undefined) throw new PartUnavailable('the package of the cloud kernel has no kernel')
  const release = basename(image).replace('vmlinuz-', '')
  return { release, image: join(cache, image), modules: join(cache, `linux-image-${release}`, 'lib', 'modules', release) }
}

/** Copies modules with all that they need. @returns their files' names in the order in which they can be loaded */
export function copyModules(kernel: Kernel, wanted: readonly string[], directory: string): readonly string[] {
  mkdirSync(directory, { recursive: true })
  const places = new Map(globSync('**/*.ko', { cwd: kernel.modules }).map(path => [nameOf(path), join(kernel.modules, path)]))
  const order: string[] = []
  const add = (name: string) => {
    if (order.includes(`${name}.ko`)) return
    const place = places.get(name)
    if (place === undefined) throw new Error(`kernel ${kernel.release} has no module ${name}`)
    // The list lies in the file as text: `depends=sunrpc,grace`.
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(place, 'latin1'))?.[1] ?? ''
    for (const one of depends.split(',').filter(part => part !== '')) add(one.replaceAll('-', '_'))
    order.push(`${name}.ko`)
    copyFileSync(place, join(directory, `${name}.ko`))
  }
  for (const name of wanted) add(name)
  return order
}

const nameOf = (path: string) => basename(path, '.ko').replaceAll('-', '_')
