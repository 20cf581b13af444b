// nfs-subdir-external-provisioner: claims of the future become ours, by a class that makes the same folders. Its volumes name server and path themselves and need no
// driver, but only it deletes their folders: it stays until there is none left. So no program can carry this out at once.

import { listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { type HandTold, none, type Reads, type Upstream } from '#upstreams/upstream.ts'
import { type ValuesTree, withValue } from '#upstreams/values-tree.ts'
import { driverName } from '../names.ts'
import { classIn, convertSubdir, subdirRows, subdirVersions } from './nfs-subdir-rows.ts'

const id = 'nfs-subdir-external-provisioner'
const mostNamed = 5

export const nfsSubdir: Upstream = {
  ...none,
  name: 'NFS subdir provisioner',
  capability: 'nfs',
  workloads: [/^nfs-client-provisioner$/, /nfs-subdir-external-provisioner$/],
  names: [id, 'nfs-client-provisioner'],
  images: [id],
  // Its classes name another provisioner, so that both may be at work.
  doesNoJob: () => true,
  replaced: {
    id,
    versions: subdirVersions,
    rows: subdirRows,
    convert: convertSubdir,
    convertWorkload: (workload, { beside, namespace }) =>
      convertSubdir({ values: valuesOf(workload, beside), version: undefined, namespace }),
    plainKinds: ['Deployment'],
    swap: {
      part: {
        kind: 'by-hand',
        steps: [
          {
            id: 'switch',
            title: 'install ours beside it: both may be at work, since their classes name them apart',
            command: () => 'ballast manifests -f values.yaml | kubectl apply --server-side -f -   # without extraObjects yet',
            proof: `a CSIDriver ${driverName} is there`,
            undo: 'ballast manifests -f values.yaml --disable nfs | kubectl apply --server-side -f -',
            look: async ({ api, signal }) => {
              const found = await optional(api.resource<KubeObject>(builtIn.csidrivers).get(driverName, { signal }))
              return found === undefined ? no('ours is not installed yet') : yes('ours is installed')
            },
          },
          {
            id: 'class',
            title:
              'put our class in the place of its class: claims that are bound do not notice, claims of the moment between wait',
            command: ({ values }) =>
              `kubectl delete storageclass ${className(values)} && ballast manifests -f values.yaml | kubectl apply --server-side -f -   # with extraObjects`,
            proof: `the class names ${driverName}`,
            undo: 'kubectl delete storageclass, then apply the old one',
            look: looksAtClass,
          },
          {
            id: 'volumes',
            title:
              'keep it while it has volumes: they stay mounted and as they are, and it alone deletes or archives their folders',
            command: () => `kubectl get pv -o json | jq -r '.items[] | select(.spec.nfs) | .metadata.name'`,
            proof: 'no volume is left that it made',
            undo: '-',
            look: looksAtVolumes,
          },
          {
            id: 'remove',
            title: 'take it away',
            command: ({ namespace, name, owner }) =>
              owner?.by === 'helm'
                ? `helm -n ${owner.namespace} uninstall ${owner.name}   # with storageClass.create: false in a last upgrade, so that the class stays`
                : `kubectl -n ${namespace} delete deployment ${name}`,
            proof: 'it is gone',
            undo: 'install it again',
            look: async ({ api, signal }, { namespace, name }) => {
              const found = await optional(api.resource<KubeObject>(builtIn.deployments).get(name, { namespace, signal }))
              return found === undefined ? yes('it is gone') : no(`Deployment ${namespace}/${name} is there`)
            },
          },
        ],
      },
      does: 'makes volumes of its classes',
      usersObjects: classes,
      hint: () => 'volumes that it made are of type nfs and stay as they are',
      reinstall: `helm install ${id} ${id}/${id} -n kube-system -f ${id}-values.yaml`,
    },
  },
}

const className = (values: ValuesTree): string => textAt(classIn(values), 'metadata', 'name') ?? '<its class>'

async function optional<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function classes({ api, signal }: Reads): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  for await (const page of api.resource<KubeObject>(builtIn.storageclasses).pages({ signal }))
    found.push(...page.items.map(item => ({ ...item, apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass' })))
  return found
}

async function looksAtClass({ api, signal }: Reads, { values }: HandTold): Promise<Proof> {
  const name = className(values)
  const found = await optional(api.resource<KubeObject>(builtIn.storageclasses).get(name, { signal }))
  const provisioner = textAt(found, 'provisioner')
  if (provisioner === driverName) return yes(`class ${name} is of ours`)
  return no(found === undefined ? `there is no class ${name}` : `class ${name} is of ${provisioner}`)
}

async function looksAtVolumes({ api, signal }: Reads, { workload }: HandTold): Promise<Proof> {
  const provisioner = environmentOf(workload).get('PROVISIONER_NAME') ?? ''
  const found: string[] = []
  for await (const page of api.resource<KubeObject>(builtIn.persistentvolumes).pages({ signal, metadataOnly: true }))
    for (const { metadata } of page.items)
      if (metadata.annotations?.['pv.kubernetes.io/provisioned-by'] === provisioner) found.push(metadata.name)
  if (found.length === 0) return yes('no volume is of it any more')
  const more = found.length > mostNamed ? ` and ${found.length - mostNamed} more` : ''
  return no(`${found.length} volumes are of it: ${found.slice(0, mostNamed).join(', ')}${more}`)
}

const containersOf = (workload: unknown) => listAt(workload, 'spec', 'template', 'spec', 'containers')

function environmentOf(workload: unknown): ReadonlyMap<string, string> {
  const entries = containersOf(workload).flatMap(container => listAt(container, 'env'))
  return new Map(entries.map(one => [textAt(one, 'name') ?? '', textAt(one, 'value') ?? '']))
}

/** What it is told, in the words of its chart; its class is that of its provisioner's name. */
function valuesOf(workload: ValuesTree, beside: readonly unknown[]): ValuesTree {
  const environment = environmentOf(workload)
  const provisioner = environment.get('PROVISIONER_NAME')
  const storageClasses = beside.filter(one => textAt(one, 'kind') === 'StorageClass')
  const isTakenOver = (one: unknown) =>
    textAt(one, 'provisioner') === driverName &&
    textAt(one, 'parameters', 'server') === environment.get('NFS_SERVER') &&
    textAt(one, 'parameters', 'share') === environment.get('NFS_PATH')
  // A class of ours that took its place has its name.
  const found =
    storageClasses.find(one => textAt(one, 'provisioner') === provisioner) ?? storageClasses.find(one => isTakenOver(one))
  const parameter = (key: string) => textAt(found, 'parameters', key)
  const fields: Readonly<Record<string, unknown>> = Object(found)
  const said: readonly (readonly [string, unknown])[] = [
    ['nfs.server', environment.get('NFS_SERVER')],
    ['nfs.path', environment.get('NFS_PATH')],
    ['nfs.mountOptions', fields['mountOptions']],
    ['storageClass.provisionerName', provisioner],
    ['storageClass.create', found === undefined ? false : undefined],
    ['storageClass.name', textAt(found, 'metadata', 'name')],
    ...['pathPattern', 'onDelete', 'archiveOnDelete'].map(key => [`storageClass.${key}`, parameter(key)] as const),
    ...['reclaimPolicy', 'volumeBindingMode', 'allowVolumeExpansion'].map(key => [`storageClass.${key}`, fields[key]] as const),
  ]
  return said
    .filter(([, value]) => value !== undefined)
    .reduce<ValuesTree>((tree, [path, value]) => withValue(tree, path.split('.'), value), {})
}
