// The files of one node as the port `node-files` has them: what operator mode writes before the agent is there. Pure.
import { createHash } from 'node:crypto'
import type { NodeFile, NodeFileSet } from '#coordination/ports/node-files.ts'
import { parseHostsWish } from './hosts-wish.ts'
import { hostsFiles } from './node-texts.ts'

export interface NodeFileWish {
  readonly configPath: string
  /** Ports of the mirror on the node's own address, in the order in which containerd asks. */
  readonly ports: readonly number[]
  readonly registries: readonly string[]
  readonly additionalTargets: readonly string[]
  readonly resolveTags: boolean
  readonly basicAuth: { readonly username: string; readonly password: string } | undefined
}

/** `ip` as it is written in URLs. @throws InputError for registries and targets that are none */
export function nodeFileSet(wish: NodeFileWish, ip: string): NodeFileSet {
  const { directories, hosts } = parseHostsWish({
    mirroredRegistries: wish.registries,
    // Several ports are one agent: the first is enough, and two would make each miss cost twice.
    mirrorTargets: [...wish.ports.slice(0, 1).map(port => `http://${ip}:${port}`), ...wish.additionalTargets],
    resolveTags: wish.resolveTags,
    dialTimeout: '200ms',
    basicAuth: wish.basicAuth,
  })
  const files: readonly NodeFile[] = hostsFiles({ directories, hosts, configPath: wish.configPath })
  return { files, digest: digestOfFiles(files) }
}

function digestOfFiles(files: readonly NodeFile[]): string {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
  const text = JSON.stringify(sorted.map(({ path, mode, content }) => [path, mode, content]))
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}
