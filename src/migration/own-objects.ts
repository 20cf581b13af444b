// The objects of ours that a swap installs: everything where Ballast is not there, else what its installation lacks, of the same names and image.

import { parse } from 'yaml'
import { type Asked, installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { listAt, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import type { Ours } from './place.ts'
import { fullName } from './situation.ts'
import { StepFailed } from './step.ts'

type Release = Pick<Ours, 'release' | 'namespace'>

/** As `ballast manifests` makes them. @throws StepFailed for values that our chart would refuse */
function made(asked: Asked, { release, namespace }: Release): readonly KubeObject[] {
  try {
    const values = installationValues(asked, enabledCapabilities)
    return objects(values, { capabilities: enabledCapabilities, release: plainRelease(release, namespace) })
  } catch (error) {
    if (error instanceof InputError) throw new StepFailed(error.message)
    throw error
  }
}

const asFile = (values: ValuesTree) => ({ file: 'converted values', text: JSON.stringify(values) })

/** Everything of Ballast. */
export function newInstallation(values: ValuesTree, preset: ValuesTree = {}): readonly KubeObject[] {
  const place = { release: 'ballast', namespace: ballastNamespace }
  return made({ values: asFile(values), preset: { ...preset, namespace: { create: true } } }, place)
}

const rightsKinds: ReadonlySet<string> = new Set(['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'])

export const isRight = ({ kind }: KubeObject): boolean => rightsKinds.has(kind)

/** An installation that is there, by its own configuration, with `capability` among what is enabled. */
export function withCapability(
  ours: Ours,
  capability: string,
  values: ValuesTree,
  preset: ValuesTree = {},
): readonly KubeObject[] {
  // Who watches some namespaces only has rights there only.
  const watched: unknown = parse(ours.text)?.process?.watchNamespaces
  const asked: Asked = {
    configuration: { file: 'ballast-config', text: ours.text },
    values: asFile(values),
    preset: { ...preset, rbac: { namespaced: Array.isArray(watched) ? watched : [] } },
    enable: [capability],
  }
  return made(asked, ours)
}

/** The name that an installation was given, where it is not that of its release. */
export function nameOfIts({ controller }: Pick<Ours, 'controller'>): ValuesTree {
  const name = fullName(controller)
  return name === undefined ? {} : { fullnameOverride: name }
}

/** What an installation that is there would have by these values, with what all of its parts have in common, as far as it can be seen. */
export function withValues(ours: Ours, values: ValuesTree): readonly KubeObject[] {
  const pullSecrets = listAt(templateOf(ours.controller), 'spec', 'imagePullSecrets')
  const arbiter = valueAt(parse(ours.text), ['arbiter'])
  const preset = {
    ...nameOfIts(ours),
    ...(isTree(arbiter) ? { arbiter } : {}),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
  }
  return made({ values: asFile(values), preset }, ours)
}

const helmAnnotations = ['meta.helm.sh/release-name', 'meta.helm.sh/release-namespace']

/** A release that Helm manages takes them over at its next upgrade with the same values. */
export function asHelmTakes(object: KubeObject, controller: KubeObject): KubeObject {
  const { annotations = {} } = controller.metadata
  const kept = Object.fromEntries(
    helmAnnotations.flatMap(key => (annotations[key] === undefined ? [] : [[key, annotations[key]]])),
  )
  if (Object.keys(kept).length < helmAnnotations.length) return object
  const labels = { ...object.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' }
  return { ...object, metadata: { ...object.metadata, labels, annotations: { ...object.metadata.annotations, ...kept } } }
}

/** The object with the controller's image, which runs there already: all parts are of one version. */
export function ofSameImage(object: KubeObject, controller: KubeObject): KubeObject {
  const [container] = listAt(controller, 'spec', 'template', 'spec', 'containers')
  const image: unknown = Reflect.get(Object(container), 'image')
  const spec = object['spec']
  if (typeof image !== 'string' || !isTree(spec)) return object
  const renamed = (template: unknown): ValuesTree => {
    const whole = Object(template)
    const pod: ValuesTree = Object(whole.spec)
    const lists = ['containers', 'initContainers'].filter(key => Array.isArray(pod[key]))
    const changed = lists.map(key => [key, listAt(pod, key).map(one => ({ ...Object(one), image }))] as const)
    return { ...whole, spec: { ...pod, ...Object.fromEntries(changed) } }
  }
  const { template, jobTemplate } = spec
  if (template !== undefined) return { ...object, spec: { ...spec, template: renamed(template) } }
  if (!isTree(jobTemplate)) return object
  const job = Object(jobTemplate['spec'])
  return { ...object, spec: { ...spec, jobTemplate: { ...jobTemplate, spec: { ...job, template: renamed(job.template) } } } }
}
