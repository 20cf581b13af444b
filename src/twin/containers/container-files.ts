// The files of one container of the twin, in memory: what is mounted into it, what a runtime puts there, and what commands wrote.
import type { KubeObject } from '#kube/objects/objects.ts'
import { fieldsAt, itemsAt, listAt, textAt } from '../json-value.ts'
import { specOf } from './asked-container.ts'
import { downwardValue } from './downward-values.ts'
import { dataOf, hostnameOf, type Lookup } from './pod-data.ts'

const mostFiles = 2_000
const mostBytes = 8 * 1024 * 1024

/** What a system call would have failed with, in its words. */
export class FileFault extends Error {
  override readonly name = 'FileFault'
}

interface Entry {
  /** Undefined: a directory. */
  readonly content: Buffer | undefined
  readonly isReadOnly: boolean
}

export class ContainerFiles {
  readonly #entries = new Map<string, Entry>([['/', { content: undefined, isReadOnly: false }]])
  #bytes = 0

  /** The files at the start of a container. `token`: of the pod's account, where it is mounted. */
  constructor(pod: KubeObject, container: string, lookup: Lookup) {
    for (const directory of ['/bin', '/dev', '/etc', '/home', '/proc', '/root', '/tmp', '/usr/bin', '/var/log', '/var/run'])
      this.makeDirectory(directory)
    const { name } = pod.metadata
    const address = textAt(pod, 'status', 'podIP') ?? ''
    this.#put('/etc/hostname', `${hostnameOf(pod)}\n`)
    this.#put('/etc/hosts', `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${address}\t${hostnameOf(pod)}\n`)
    this.#put(
      '/etc/resolv.conf',
      `search ${pod.metadata.namespace ?? ''}.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n`,
    )
    this.#put('/etc/passwd', 'root:x:0:0:root:/root:/bin/sh\n')
    this.#put('/etc/os-release', 'NAME="Ballast twin"\nID=ballast-twin\n')
    const volumes = itemsAt(pod, 'spec', 'volumes')
    for (const mount of itemsAt(specOf(pod, container), 'volumeMounts')) {
      const volume = volumes.find(one => one['name'] === mount['name'])
      const at = pathIn('/', textAt(mount, 'mountPath') ?? '/')
      const subPath = textAt(mount, 'subPath') ?? ''
      this.makeDirectory(subPath === '' ? at : parentOf(at))
      for (const [path, content] of volumeFiles(volume ?? {}, pod, container, lookup)) {
        if (subPath === '') this.#put(pathIn(at, path), content, true)
        else if (path === subPath) this.#put(at, content, true)
        else if (path.startsWith(`${subPath}/`)) this.#put(pathIn(at, path.slice(subPath.length + 1)), content, true)
      }
    }
    if (this.#bytes > mostBytes) throw new Error(`what is mounted into pod ${name} is larger than ${mostBytes} bytes`)
  }

  /** @throws FileFault */
  read(path: string): Buffer {
    const entry = this.#entries.get(path)
    if (entry === undefined) throw new FileFault('No such file or directory')
    if (entry.content === undefined) throw new FileFault('Is a directory')
    return entry.content
  }

  kind(path: string): 'file' | 'directory' | undefined {
    const entry = this.#entries.get(path)
    return entry === undefined ? undefined : entry.content === undefined ? 'directory' : 'file'
  }

  /** Names directly below, in order. @throws FileFault */
  list(path: string): readonly string[] {
    if (this.kind(path) === undefined) throw new FileFault('No such file or directory')
    if (this.kind(path) === 'file') throw new FileFault('Not a directory')
    const front = path === '/' ? '/' : `${path}/`
    const names = [...this.#entries.keys()].filter(
      key => key !== '/' && key.startsWith(front) && !key.slice(front.length).includes('/'),
    )
    return names.map(key => key.slice(front.length)).sort()
  }

  /** @throws FileFault */
  write(path: string, content: Buffer): void {
    if (path === '/dev/null') return
    const before = this.#entries.get(path)
    if (before !== undefined && before.content === undefined) throw new FileFault('Is a directory')
    if (before?.isReadOnly === true || this.#entries.get(parentOf(path))?.isReadOnly === true)
      throw new FileFault('Read-only file system')
    if (this.kind(parentOf(path)) === undefined) throw new FileFault('No such file or directory')
    if (this.kind(parentOf(path)) === 'file') throw new FileFault('Not a directory')
    const bytes = this.#bytes - (before?.content?.length ?? 0) + content.length
    if (bytes > mostBytes || (before === undefined && this.#entries.size >= mostFiles))
      throw new FileFault('No space left on device')
    this.#bytes = bytes
    this.#entries.set(path, { content, isReadOnly: false })
  }

  /** With all above it. @throws FileFault */
  makeDirectory(path: string): void {
    if (this.kind(path) === 'directory') return
    if (this.kind(path) === 'file') throw new FileFault('File exists')
    this.makeDirectory(parentOf(path))
    if (this.#entries.size >= mostFiles) throw new FileFault('No space left on device')
    this.#entries.set(path, { content: undefined, isReadOnly: false })
  }

  /** With all below it. @throws FileFault */
  remove(path: string): void {
    const gone = [...this.#entries].filter(([key]) => key === path || key.startsWith(`${path}/`))
    if (gone.length === 0) throw new FileFault('No such file or directory')
    if (path === '/' || gone.some(([, { isReadOnly }]) => isReadOnly)) throw new FileFault('Read-only file system')
    for (const [key, { content }] of gone) {
      this.#bytes -= content?.length ?? 0
      this.#entries.delete(key)
    }
  }

  #put(path: string, text: string | Buffer, isReadOnly = false): void {
    const content = typeof text === 'string' ? Buffer.from(text) : text
    this.makeDirectory(parentOf(path))
    this.#bytes += content.length
    this.#entries.set(path, { content, isReadOnly })
  }
}

/** `path` from `directory`, without `.` and `..`. */
export function pathIn(directory: string, path: string): string {
  const parts: string[] = []
  for (const part of (path.startsWith('/') ? path : `${directory}/${path}`).split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  return `/${parts.join('/')}`
}

function parentOf(path: string): string {
  return pathIn(path, '..')
}

type Content = readonly [path: string, content: string | Buffer]

function volumeFiles(
  volume: Readonly<Record<string, unknown>>,
  pod: KubeObject,
  container: string,
  lookup: Lookup,
): readonly Content[] {
  const sources = [volume, ...itemsAt(volume, 'projected', 'sources')]
  return sources.flatMap(source => {
    const configMap = fieldsAt(source, 'configMap')
    const secret = fieldsAt(source, 'secret')
    if (configMap !== undefined) return chosen(configMap, dataOf(lookup('configmaps', textAt(configMap, 'name') ?? ''), false))
    if (secret !== undefined)
      return chosen(secret, dataOf(lookup('secrets', textAt(secret, 'secretName') ?? textAt(secret, 'name') ?? ''), true))
    if (fieldsAt(source, 'serviceAccountToken') !== undefined)
      return [[textAt(source, 'serviceAccountToken', 'path') ?? 'token', 'the twin gives its containers no token\n'] as const]
    return itemsAt(source, 'downwardAPI', 'items').map(
      item => [textAt(item, 'path') ?? '', downwardValue(item, pod, container) ?? ''] as const,
    )
  })
}

/** All keys, or those that `items` names, at the paths said there. */
function chosen(source: Readonly<Record<string, unknown>>, data: ReadonlyMap<string, Buffer>): readonly Content[] {
  if (listAt(source, 'items').length === 0) return [...data]
  return itemsAt(source, 'items').flatMap(item => {
    const content = data.get(textAt(item, 'key') ?? '')
    return content === undefined ? [] : [[textAt(item, 'path') ?? '', content] as const]
  })
}
