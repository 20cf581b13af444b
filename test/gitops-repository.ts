// A user's GitOps repository for the Talos example: the same workloads as its dump, written as people write them. Plain files with
// comments, a kustomize base with its namespace outside, a release of Helm, and two apps in one file.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { readSource } from '../src/cli/source/source.ts'

type Fields = Record<string, unknown>

export const talosExample = join(import.meta.dirname, '..', 'examples', 'talos-homelab')

/** What the API server fills in, and no user writes. */
const serverFields: ReadonlySet<string> = new Set([
  'terminationMessagePath',
  'terminationMessagePolicy',
  'dnsPolicy',
  'schedulerName',
  'securityContext',
  'terminationGracePeriodSeconds',
  'revisionHistoryLimit',
  'progressDeadlineSeconds',
  'podManagementPolicy',
  'persistentVolumeClaimRetentionPolicy',
])

function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !serverFields.has(key))
      .map(([key, inner]) => [key, written(inner)]),
  )
}

function manifestOf({ apiVersion, kind, metadata, ...rest }: KubeObject, withNamespace: boolean): Fields {
  const { name, namespace, labels } = metadata
  return {
    apiVersion,
    kind,
    metadata: { name, ...(withNamespace ? { namespace } : {}), ...(labels === undefined ? {} : { labels }) },
    spec: written(rest['spec']),
  }
}

/** The live objects of the example; those of one app as Helm would have made them. */
export function liveObjects(): readonly KubeObject[] {
  return readSource(talosExample).objects.map(({ object }): KubeObject => {
    const isReleased = object.metadata.namespace === 'minio' && object.kind === 'StatefulSet'
    if (!isReleased) return object
    const annotations = { 'meta.helm.sh/release-name': 'minio', 'meta.helm.sh/release-namespace': 'minio' }
    const labels = { ...object.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' }
    return { ...object, metadata: { ...object.metadata, annotations, labels } }
  })
}

/** Writes the repository below `root`. */
export function writeRepository(root: string): void {
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const workloads = liveObjects().filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')
  const bySpace = Map.groupBy(workloads, ({ metadata }) => metadata.namespace ?? 'default')
  for (const [space, objects] of bySpace) {
    if (space === 'minio') continue
    const isBase = space === 'monitoring'
    const texts = objects.map(object => {
      const text = stringify(manifestOf(object, !isBase), { lineWidth: 0, indentSeq: space !== 'media' })
      // A comment that has to stay where it is.
      return `# ${object.metadata.name}: mind the requests\n${text.replace(/^( *)containers:$/m, '$1containers: # one is enough')}`
    })
    if (isBase) {
      for (const [at, object] of objects.entries()) write(`apps/${space}/${object.metadata.name}.yaml`, texts[at] ?? '')
      const resources = objects.map(({ metadata }) => `  - ${metadata.name}.yaml\n`).join('')
      write(
        `apps/${space}/kustomization.yaml`,
        `# the namespace is said here\nkind: Kustomization\nnamespace: ${space}\nresources:\n${resources}`,
      )
    } else write(`apps/${space}.yaml`, texts.join('---\n'))
  }
  write(
    'apps/minio/release.yaml',
    [
      'apiVersion: helm.toolkit.fluxcd.io/v2',
      'kind: HelmRelease',
      'metadata: {name: minio, namespace: minio}',
      'spec:',
      '  interval: 1h # often enough',
      '  chart: {spec: {chart: minio, sourceRef: {kind: HelmRepository, name: minio}}}',
      '  values:',
      '    resources: {requests: {cpu: 250m, memory: 512Mi}}',
      '',
    ].join('\n'),
  )
  write('README.md', '# homelab\n')
}
