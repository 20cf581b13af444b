// Objects in a real control plane as they are, times of creation and statuses too: written into etcd, from where kube-apiserver serves
// them. No client could write them so.
import { readFileSync } from 'node:fs'
import type { KubeObject } from '#kube/objects/objects.ts'
import type { ControlPlane } from '../control-plane/start.ts'
import { type Program, runOneCycle } from './programs.ts'

interface Place {
  readonly kind: string
  /** In etcd. */
  readonly prefix: string
  /** Path of the collection in the API. */
  readonly path: string
}

const places: readonly Place[] = [
  { kind: 'Node', prefix: '/registry/minions/', path: '/api/v1/nodes' },
  { kind: 'Pod', prefix: '/registry/pods/', path: '/api/v1/pods' },
]
const namespaces: Place = { kind: 'Namespace', prefix: '/registry/namespaces/', path: '/api/v1/namespaces' }

/**
 * The pods (`namespace/name`) that a program evicts in its only cycle on a control plane that has these nodes and pods and no others. Nobody
 * else moves them. Throws Error where the program fails.
 */
export async function realCycle(
  plane: ControlPlane,
  program: Program,
  { objects, policy }: { readonly objects: readonly KubeObject[]; readonly policy: string },
): Promise<readonly string[]> {
  await hold(plane, objects)
  await runOneCycle(program, { kubeconfig: readFileSync(plane.kubeconfig, 'utf8'), policy })
  const left = await listed(plane, '/api/v1/pods')
  const stays = new Set(left.flatMap(({ metadata }) => (metadata.deletionTimestamp === undefined ? [keyOf(metadata)] : [])))
  return objects.flatMap(({ kind, metadata }) =>
    kind === 'Pod' && metadata.deletionTimestamp === undefined && !stays.has(keyOf(metadata)) ? [keyOf(metadata)] : [],
  )
}

function keyOf({ namespace = '', name }: KubeObject['metadata']): string {
  return `${namespace}/${name}`
}

/** Has the control plane hold these objects in place of what it had, and waits until it shows them. */
export async function hold({ etcd, client }: ControlPlane, objects: readonly KubeObject[]): Promise<void> {
  for (const { prefix } of places) {
    // All keys with the prefix: up to the one whose last character is the next one.
    const end = `${prefix.slice(0, -1)}0`
    await asked(etcd, 'deleterange', { key: base64(prefix), range_end: base64(end) })
  }
  for (const { kind, prefix, path } of [namespaces, ...places]) {
    let revision = ''
    for (const object of objects) {
      if (object.kind !== kind) continue
      const { namespace, name } = object.metadata
      const key = namespace === undefined ? `${prefix}${name}` : `${prefix}${namespace}/${name}`
      revision = await asked(etcd, 'put', { key: base64(key), value: base64(JSON.stringify(object)) })
    }
    // Not older than the last of them: the server answers when its cache has come so far.
    if (revision !== '') await client.want('GET', `${path}?resourceVersion=${revision}&resourceVersionMatch=NotOlderThan&limit=1`)
  }
}

/** What etcd's gateway answers: the revision. */
async function asked(etcd: string, what: 'put' | 'deleterange', body: Readonly<Record<string, string>>): Promise<string> {
  const answer = await fetch(`${etcd}/v3/kv/${what}`, { method: 'POST', body: JSON.stringify(body) })
  const text = await answer.text()
  const revision = /"revision":"(\d+)"/.exec(text)?.[1]
  if (!answer.ok || revision === undefined) throw new Error(`etcd: ${what} ${answer.status} ${text}`)
  return revision
}

async function listed({ client }: ControlPlane, path: string): Promise<readonly KubeObject[]> {
  const { items } = await client.want('GET', path)
  if (!Array.isArray(items)) throw new Error(`GET ${path}: found no items`)
  return items
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}
