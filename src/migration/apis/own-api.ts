// Ours as a part of `ballast apiserver`: installed with its rights and switched on beside upstream, but nobody is led to it yet.
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import { processPorts } from '#coordination/part-hosts.ts'
import { merged } from '#deployment/installation.ts'
import { listAt, numberAt, templateOf, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { injectAnnotation } from '#kube/server/bundle-injection.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import type { ApiPart, LedApiPart } from '#upstreams/upstream.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { of, ofObject } from '../access.ts'
import { type Now, named, shown, theOurs } from '../both.ts'
import { fieldManager } from '../own-made.ts'
import { asHelmTakes, isRight, nameOfIts, newInstallation, ofSameImage, withCapability } from '../own-objects.ts'
import { sectionOf } from '../own-section.ts'
import type { Loop, Ours } from '../place.ts'
import { optional } from '../reading.ts'
import { ownName, readSituation } from '../situation.ts'
import { type Access, StepFailed, type Swap } from '../step.ts'
import { applyAll, isDefinition, missingRights, withoutTheirKinds, writeSection } from '../writes.ts'

export type ServedPart = ApiPart | LedApiPart

const componentLabel = 'app.kubernetes.io/component'
const portName = 'aggregated'
const servicePort = 443

/** Everything of ours for `converted`, the capability on, without what would lead callers here. */
function everything(swap: Swap, { values }: ConvertedValues): readonly KubeObject[] {
  const section = { ...sectionOf(swap, { values }), enabled: true }
  const capabilities = { ...Object(values['capabilities']), [swap.upstream.capability]: section }
  return newInstallation({ ...values, capabilities })
}

/** What an installation that is there has for it: of its own process, in its own names, of its own image. */
function beside(swap: Swap, part: ServedPart, ours: Ours, values: ValuesTree): readonly KubeObject[] {
  // The page is shown by the same process, where it is: its rights stay.
  const apiserver = ours.loop === undefined || argsOf(ours.loop.workload).includes('--no-dashboard') ? {} : { enabled: true }
  const { capabilities: _section, ...around } = values
  return withCapability(ours, swap.upstream.capability, around, { ...nameOfIts(ours), [part.component]: apiserver })
    .filter(
      object =>
        object.metadata.labels?.[componentLabel] === part.component ||
        // It has parts in the controller, too, and kinds of its own.
        (part.kind === 'led-api' && (isRight(object) || isDefinition(object))),
    )
    .map(object => asHelmTakes(ofSameImage(object, ours.controller), ours.controller))
}

const isRegistration = ({ kind }: KubeObject): boolean => kind === 'APIService'

/** Objects of ours by what upstream is told; `undefined` ours: nothing is there. */
function wanted(swap: Swap, part: ServedPart, ours: Ours | undefined, converted: ConvertedValues): readonly KubeObject[] {
  return ours === undefined ? everything(swap, converted) : beside(swap, part, ours, converted.values)
}

/** Its Deployment was made, or changed, by others than a swap: it is kept, and only gets what is lacking. */
const isKept = (ours: Ours): ours is Ours & { readonly loop: Loop } => ours.loop !== undefined && !ours.isOfSwap

/** What leads callers to ours, without the authority that it is judged by. */
function registrationOf(swap: Swap, part: ServedPart, ours: Ours): KubeObject {
  const found = beside(swap, part, ours, {}).find(object => isRegistration(object) && object.metadata.name === part.apiService)
  if (found === undefined) throw new StepFailed(`Ballast registers no ${part.apiService}`)
  return found
}

/** The same with the authority, as it is now. @throws StepFailed where ours has no certificate yet */
export async function ownRegistration(swap: Swap, part: ServedPart): Promise<KubeObject> {
  const { api, signal } = swap
  const registration = registrationOf(swap, part, theOurs(await readSituation(swap)))
  const [namespace = '', name = ''] = (registration.metadata.annotations?.[injectAnnotation] ?? '').split('/')
  const secret = await optional(api.resource<KubeObject>(builtIn.secrets).get(name, { namespace, signal }))
  const caBundle = textAt(secret, 'data', 'ca.crt')
  if (caBundle === undefined || caBundle === '')
    throw new StepFailed(`Secret ${namespace}/${name} holds no certificate of ours yet, or may not be read`)
  return { ...registration, spec: { ...Object(registration['spec']), caBundle } }
}

/** `namespace/name` of the Service by which ours is reached. */
export const ownService = (part: ServedPart, ours: Ours | undefined): string =>
  `${ours?.namespace ?? ballastNamespace}/${ownName(ours?.controller, part.component)}`

export function needsToInstall(swap: Swap, part: ServedPart, { situation: { ours }, whole }: Now): readonly Access[] {
  const namespace = ours?.namespace ?? ballastNamespace
  return [
    ...wanted(swap, part, ours, whole.converted)
      .filter(object => !isRegistration(object))
      .flatMap(object => ofObject(object, 'create', 'patch')),
    of(builtIn.configmaps, namespace, 'update'),
    ...(ours !== undefined && isKept(ours)
      ? [of(builtIn.deployments, namespace, 'update'), of(builtIn.services, namespace, 'update')]
      : []),
  ]
}

/** ConfigMaps and Secrets that its pods would mount, and that lie elsewhere: a pod mounts what is in its own namespace. */
export async function missingFiles(swap: Swap, { situation: { ours }, theirs, whole }: Now): Promise<string | undefined> {
  const { api, signal } = swap
  const namespace = ours?.namespace ?? ballastNamespace
  if (theirs.namespace === namespace) return undefined
  for (const volume of listAt(whole.converted.values, 'apiserver', 'extraVolumes')) {
    const sources = [
      ['ConfigMap', builtIn.configmaps, textAt(volume, 'configMap', 'name')],
      ['Secret', builtIn.secrets, textAt(volume, 'secret', 'secretName')],
    ] as const
    for (const [kind, resource, name] of sources) {
      if (
        name === undefined ||
        (await optional(api.resource<KubeObject>(resource).get(name, { namespace, signal }))) !== undefined
      )
        continue
      return `upstream mounts ${kind} ${theirs.namespace}/${name}, and there is none of that name in ${namespace}: make one with the same content first`
    }
  }
  return undefined
}

/** What upstream is told, as far as nobody has said otherwise in ours: what differs there from the default was meant. */
function unsaid(said: ValuesTree, ours: unknown, standard: unknown): ValuesTree {
  return Object.fromEntries(
    Object.entries(said).flatMap(([key, value]): [string, unknown][] => {
      const [own, usual] = [ours, standard].map(tree => valueAt(tree, [key]))
      if (isTree(value)) return [[key, unsaid(value, own, usual)]]
      return isDeepStrictEqual(own, usual) ? [[key, value]] : []
    }),
  )
}

/** What the file of an installation that is there is to say: all that it says, and what is unsaid. */
export function sectionAhead(swap: Swap, ours: Ours, converted: ConvertedValues): ValuesTree {
  const { enabled: _on, ...said } = sectionOf(swap, converted)
  const standard: unknown = schemaOf(swap)?.parse({})
  const written = valueAt(parse(ours.text), ['capabilities', swap.upstream.capability])
  return { ...merged(isTree(written) ? written : {}, unsaid(said, ours.config, standard)), enabled: true }
}

const schemaOf = ({ capabilities, upstream }: Swap) => capabilities.find(({ name }) => name === upstream.capability)?.config

/** Why ours would refuse what upstream is told; `undefined`: it takes it. */
export function refusedSettings(swap: Swap, converted: ConvertedValues): string | undefined {
  const { enabled: _on, ...said } = sectionOf(swap, converted)
  const read = schemaOf(swap)?.safeParse(said)
  if (read === undefined || read.success) return undefined
  const { capability } = swap.upstream
  return read.error.issues.map(({ path, message }) => `capabilities.${[capability, ...path].join('.')}: ${message}`).join('; ')
}

/** Keys of the section that say otherwise than upstream is told, though nobody meant it. */
export function missingSettings(swap: Swap, ours: Ours, converted: ConvertedValues): readonly string[] {
  const { enabled: _on, ...ahead } = sectionAhead(swap, ours, converted)
  const read = schemaOf(swap)?.safeParse(ahead)
  if (read === undefined || !read.success) return []
  return Object.keys(ahead).filter(key => !isDeepStrictEqual(valueAt(ours.config, [key]), valueAt(read.data, [key])))
}

export async function install(swap: Swap, part: ServedPart, { situation: { ours }, whole: { converted } }: Now): Promise<void> {
  const all = wanted(swap, part, ours, converted).filter(object => !isRegistration(object))
  const objects = await withoutTheirKinds(swap, all)
  if (ours === undefined) return applyAll(swap, objects)
  // New pods are to read it when they start.
  await writeSection(swap, ours, swap.upstream.capability, sectionAhead(swap, ours, converted))
  if (!isKept(ours)) return applyAll(swap, objects)
  await applyAll(
    swap,
    objects.filter(object => isRight(object) || isDefinition(object)),
  )
  await openService(swap, part, ours)
  await openPods(swap, part, ours)
}

/** A port more on the Service of the process that is there. */
async function openService({ api, signal }: Swap, part: ServedPart, ours: Ours): Promise<void> {
  const { namespace } = ours
  const services = api.resource<KubeObject>(builtIn.services)
  const service = await optional(services.get(ownName(ours.controller, part.component), { namespace, signal }))
  if (service === undefined) throw new StepFailed(`Service ${ownService(part, ours)} is not there`)
  if (hasPort(service)) return
  const ports = [
    ...listAt(service, 'spec', 'ports'),
    { name: portName, port: servicePort, targetPort: portName, protocol: 'TCP' },
  ]
  await services.update({ ...service, spec: { ...Object(service['spec']), ports } }, { namespace, signal, fieldManager })
}

/** And on its pods, which are told the Service's name. */
async function openPods({ api, signal }: Swap, part: ServedPart, ours: Ours & { readonly loop: Loop }): Promise<void> {
  const { workload, namespace } = ours.loop
  if (isOpen(workload)) return
  const name = ownName(ours.controller, part.component)
  const [first, ...others] = listAt(templateOf(workload), 'spec', 'containers').filter(isTree)
  const container = {
    ...first,
    args: [...listAt(first, 'args').filter(word => !String(word).startsWith('--api-service=')), `--api-service=${name}`],
    ports: [...listAt(first, 'ports'), { name: portName, containerPort: processPorts.aggregated, protocol: 'TCP' }],
  }
  const template: ValuesTree = Object(templateOf(workload))
  const spec = { ...Object(template['spec']), containers: [container, ...others] }
  const changed = { ...workload, spec: { ...Object(workload['spec']), template: { ...template, spec } } }
  await api.resource<KubeObject>(builtIn.deployments).update(changed, { namespace, signal, fieldManager })
}

const hasPort = (service: KubeObject): boolean =>
  listAt(service, 'spec', 'ports').some(port => numberAt(port, 'port') === servicePort && textAt(port, 'name') === portName)
const isOpen = (workload: KubeObject): boolean =>
  listAt(templateOf(workload), 'spec', 'containers').some(container =>
    listAt(container, 'ports').some(port => textAt(port, 'name') === portName),
  )

function argsOf(workload: KubeObject): readonly string[] {
  return listAt(templateOf(workload), 'spec', 'containers').flatMap(container => listAt(container, 'args').map(String))
}

/** It is there, told what upstream is told, with its rights, and its pods are the newest. */
export async function installed(swap: Swap, part: ServedPart, { situation, whole: { converted } }: Now): Promise<Proof> {
  const { ours } = situation
  const { capability } = swap.upstream
  if (ours === undefined) return no('the controller is not there')
  if (ours.config === undefined)
    return no(`the configuration in ${ours.namespace}/${ours.file?.metadata.name} is refused: ballast doctor names it`)
  if (!ours.isEnabled) return no(`${capability} is off in our configuration`)
  const missing = missingSettings(swap, ours, converted)
  if (missing.length > 0) return no(`settings that upstream has are missing: ${missing.join(', ')}`)
  if (ours.loop === undefined) return no(`${ownService(part, ours)} is not there`)
  const ready = rolledOut(ours.loop)
  if (!ready.ok) return ready
  const service = await optional(
    swap.api
      .resource<KubeObject>(builtIn.services)
      .get(ownName(ours.controller, part.component), { namespace: ours.namespace, signal: swap.signal }),
  )
  if (service === undefined || !hasPort(service)) return no(`Service ${ownService(part, ours)} has no port ${servicePort}`)
  // What is asked each second until it is so comes first: rendering all objects takes its time.
  const lacking = await missingRights(swap, wanted(swap, part, ours, converted).filter(isRight))
  return lacking === undefined ? ready : no(`${lacking} is not as ${capability} needs it`)
}

/** All its pods are of its newest template, and ready. */
function rolledOut(loop: Loop): Proof {
  const { workload } = loop
  const status = (key: string) => numberAt(workload, 'status', key) ?? 0
  if (loop.replicas === 0) return no(`${shown(loop)} sleeps`)
  if (!isOpen(workload)) return no(`the pods of ${shown(loop)} have no port for APIs`)
  const isSeen = status('observedGeneration') >= (workload.metadata.generation ?? 0)
  if (!isSeen || status('updatedReplicas') < loop.replicas || status('readyReplicas') < loop.replicas)
    return no(`${status('readyReplicas')} of ${loop.replicas} pods of ${named(loop)} are ready`)
  return yes(`${loop.replicas} pods of ${named(loop)} are ready, with their rights`)
}
