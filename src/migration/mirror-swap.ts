// The swap of a mirror as it is carried out: what its steps reach, and what of ours they install.
import { parse } from 'yaml'
import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { listAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { ValuesTree } from '#upstreams/values-tree.ts'
import { swapLabel } from './mirror-pin.ts'
import type { OwnMirror } from './spegel/spegel-situation.ts'
import type { SwapCore } from './step.ts'

export interface MirrorSwap extends SwapCore {
  /** Told of each node, since a swap of many takes long. */
  readonly tell: (line: string) => void
}

/** Ours comes only to nodes whose turn it is. */
const heldBack = { mirror: { nodeSelector: { [swapLabel]: 'ballast' } } }

/** Everything of Ballast, for the values that Spegel's flags are converted to. @throws InputError for values that our chart would refuse */
export function newInstallation(values: ValuesTree): readonly KubeObject[] {
  const made = installationValues(
    {
      values: { file: 'converted values', text: JSON.stringify(values) },
      preset: { ...heldBack, namespace: { create: true } },
    },
    enabledCapabilities,
  )
  return objects(made, { capabilities: enabledCapabilities, release: plainRelease('ballast', ballastNamespace) })
}

const rightsKinds: ReadonlySet<string> = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])

/**
 * What an installation without a mirror lacks: rights, and what lies among the pods on nodes. Its own Deployment stays as it is, and so does
 * its configuration but for the section of the mirror. `configuration`: its file. @throws InputError as above
 */
export function addedMirror(ours: OwnMirror, configuration: string, values: ValuesTree): readonly KubeObject[] {
  const watched: unknown = parse(configuration)?.process?.watchNamespaces
  const made = installationValues(
    {
      configuration: { file: 'ballast-config', text: configuration },
      values: { file: 'converted values', text: JSON.stringify(values) },
      preset: { ...heldBack, rbac: { namespaced: Array.isArray(watched) ? watched : [] } },
      enable: ['mirror'],
    },
    enabledCapabilities,
  )
  const release = plainRelease(ours.release, ours.namespace)
  const image = imageOf(ours.controller)
  return objects(made, { capabilities: enabledCapabilities, release })
    .filter(({ kind, metadata }) => {
      const place = kind === 'Namespace' ? metadata.name : metadata.namespace
      return rightsKinds.has(kind) || (place !== undefined && place !== ours.namespace && kind !== 'CustomResourceDefinition')
    })
    .map(object => (object.kind === 'DaemonSet' && image !== undefined ? withImage(object, image) : object))
}

function imageOf(controller: KubeObject): string | undefined {
  const [container] = listAt(controller, 'spec', 'template', 'spec', 'containers')
  const image: unknown = Reflect.get(Object(container), 'image')
  return typeof image === 'string' ? image : undefined
}

/** The one that runs there already: both halves are of one version. */
function withImage(daemonSet: KubeObject, image: string): KubeObject {
  const spec = Object(daemonSet['spec'])
  const pod = Object(spec.template.spec)
  const renamed = (of: unknown) => (Array.isArray(of) ? of.map(container => ({ ...Object(container), image })) : undefined)
  const containers = { containers: renamed(pod.containers), initContainers: renamed(pod.initContainers) }
  const kept = Object.fromEntries(Object.entries(containers).filter(([, of]) => of !== undefined))
  return { ...daemonSet, spec: { ...spec, template: { ...spec.template, spec: { ...pod, ...kept } } } }
}
