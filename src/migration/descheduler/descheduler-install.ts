// Objects that a swap of the descheduler installs: everything where Ballast is not there, else only the descheduler. It is installed asleep.

import { installationValues, plainRelease } from '#deployment/installation.ts'
import { objects } from '#deployment/objects.ts'
import { listAt, templateOf } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { enabledCapabilities } from '#process/enabled-capabilities.ts'
import { ballastNamespace } from '#process/own-names.ts'
import { isTree, type ValuesTree } from '#upstreams/values-tree.ts'
import { StepFailed } from '../step.ts'
import { sleeping } from '../writes.ts'
import { fullName, type OwnDescheduler } from './descheduler-situation.ts'

const component = 'descheduler'
const helmAnnotations = ['meta.helm.sh/release-name', 'meta.helm.sh/release-namespace']

/** For values that upstream's are converted to. @throws StepFailed for those that our chart would refuse */
export function installed(values: ValuesTree, ours: OwnDescheduler | undefined): readonly KubeObject[] {
  if (ours === undefined) {
    const place = { release: 'ballast', namespace: ballastNamespace }
    return madeOf(values, place, { namespace: { create: true } }).map(asleep)
  }
  return madeOf(values, ours, ofInstallation(ours))
    .filter(({ metadata }) => metadata.labels?.['app.kubernetes.io/component'] === component)
    .map(object => asHelmTakes(ofSameImage(asleep(object), ours.controller), ours.controller))
}

function madeOf(
  values: ValuesTree,
  { release, namespace }: { readonly release: string; readonly namespace: string },
  preset: ValuesTree,
): readonly KubeObject[] {
  try {
    const whole = installationValues(
      { values: { file: 'converted values', text: JSON.stringify(values) }, preset },
      enabledCapabilities,
    )
    return objects(whole, { capabilities: enabledCapabilities, release: plainRelease(release, namespace) })
  } catch (error) {
    if (error instanceof InputError) throw new StepFailed(error.message)
    throw error
  }
}

/** What all parts of an installation have in common, as far as it can be seen: names, the arbiter's file, Secrets of registries. */
function ofInstallation({ controller, arbiter }: OwnDescheduler): ValuesTree {
  const pullSecrets = listAt(templateOf(controller), 'spec', 'imagePullSecrets')
  const name = fullName(controller)
  return {
    ...(name === undefined ? {} : { fullnameOverride: name }),
    ...(isTree(arbiter) ? { arbiter } : {}),
    ...(pullSecrets.length === 0 ? {} : { imagePullSecrets: pullSecrets }),
  }
}

/** No pods of it until it is switched on. */
function asleep(object: KubeObject): KubeObject {
  const sleep = sleeping[object.kind]
  if (sleep === undefined || object.metadata.labels?.['app.kubernetes.io/component'] !== component) return object
  return { ...object, spec: { ...Object(object['spec']), ...sleep } }
}

/** That of the controller: both are of one version. */
function ofSameImage(object: KubeObject, controller: KubeObject): KubeObject {
  const [container] = listAt(controller, 'spec', 'template', 'spec', 'containers')
  const image: unknown = Reflect.get(Object(container), 'image')
  const spec = Object(object['spec'])
  const renamed = (template: ValuesTree) => {
    const pod = Object(template['spec'])
    const containers = listAt(pod, 'containers').map(one => ({ ...Object(one), image }))
    return { ...template, spec: { ...pod, containers } }
  }
  if (typeof image !== 'string') return object
  if (object.kind === 'Deployment') return { ...object, spec: { ...spec, template: renamed(spec.template) } }
  if (object.kind !== 'CronJob') return object
  const { jobTemplate } = spec
  const job = { ...jobTemplate.spec, template: renamed(jobTemplate.spec.template) }
  return { ...object, spec: { ...spec, jobTemplate: { ...jobTemplate, spec: job } } }
}

/** A release that Helm manages takes them over at its next upgrade with the same values. */
function asHelmTakes(object: KubeObject, controller: KubeObject): KubeObject {
  const { annotations = {} } = controller.metadata
  const kept = Object.fromEntries(
    helmAnnotations.flatMap(key => (annotations[key] === undefined ? [] : [[key, annotations[key]]])),
  )
  if (Object.keys(kept).length < helmAnnotations.length) return object
  const labels = { ...object.metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' }
  return { ...object, metadata: { ...object.metadata, labels, annotations: { ...object.metadata.annotations, ...kept } } }
}
