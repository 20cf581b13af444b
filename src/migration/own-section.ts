// Ours as a section of the controller's configuration: it is installed with everything that it needs, switched off, and switched on there.
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { ballastNamespace } from '#process/own-names.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import { no, yes } from '#upstreams/proof.ts'
import { isTree, type ValuesTree, valueAt } from '#upstreams/values-tree.ts'
import { of, ofObject } from './access.ts'
import { theOurs } from './both.ts'
import { isRight, newInstallation, withCapability } from './own-objects.ts'
import type { OwnSide } from './own-side.ts'
import type { Ours, Situation, Whole } from './place.ts'
import { listOf } from './reading.ts'
import { readSituation } from './situation.ts'
import { eventually, StepFailed, type Swap } from './step.ts'
import { copiedSecrets, missingVariables, namedSecrets } from './variables.ts'
import { applyAll, missingRights, withSection, writeSection } from './writes.ts'

/** A kubelet brings a changed ConfigMap to its pods within about a minute. */
const leadPatienceMs = 180_000

/** The section of our configuration in converted values. */
export function sectionOf({ upstream }: Swap, { values }: Pick<ConvertedValues, 'values'>): ValuesTree {
  const section = valueAt(values, ['capabilities', upstream.capability])
  return isTree(section) ? section : {}
}

const rights = ({ upstream }: Swap, ours: Ours) => withCapability(ours, upstream.capability, {}).filter(isRight)

/** Everything for `values`, switched on: only then it has its rights. */
export function switchedOn(swap: Swap, { converted }: Whole, extraObjects: readonly KubeObject[] = []): readonly KubeObject[] {
  const section = { ...sectionOf(swap, converted), enabled: true }
  const more = extraObjects.length === 0 ? {} : { extraObjects }
  return newInstallation({ ...converted.values, capabilities: { [swap.upstream.capability]: section }, ...more })
}

/** Everything is installed with its rights, and only the configuration says that it is off yet. */
export function switchedOff({ upstream }: Swap, object: KubeObject): KubeObject {
  const { capability } = upstream
  const data: unknown = object['data']
  const text = valueAt(data, ['config.yaml'])
  // Agents have a file of their own, which says nothing of it.
  const isOfIt =
    object.kind === 'ConfigMap' && typeof text === 'string' && valueAt(parse(text), ['capabilities', capability]) !== undefined
  return isOfIt
    ? { ...object, data: { ...Object(data), 'config.yaml': withSection(text, { enabled: false }, capability) } }
    : object
}

/** Settings that nobody has made yet: what differs from the default was meant, and the shadow shows what comes of it. */
function unsaid({ capabilities, upstream }: Swap, section: ValuesTree, { config }: Ours): ValuesTree {
  const standard: unknown = capabilities.find(({ name }) => name === upstream.capability)?.config.parse({})
  const isStandard = (key: string) => isDeepStrictEqual(valueAt(config, [key]), valueAt(standard, [key]))
  return Object.fromEntries(Object.entries(section).filter(([key]) => key !== 'enabled' && isStandard(key)))
}

/** The section as it is once ours is installed and switched on. */
export function sectionAhead(swap: Swap, ours: Ours | undefined, converted: ConvertedValues): unknown {
  const theirs = sectionOf(swap, converted)
  return ours === undefined ? theirs : { ...Object(ours.config), ...unsaid(swap, theirs, ours) }
}

function holderOf({ leases }: Situation, { upstream }: Swap): string {
  const holder = valueAt(
    leases.find(({ metadata }) => upstream.leases.includes(metadata.name)),
    ['spec', 'holderIdentity'],
  )
  return typeof holder === 'string' && holder !== '' ? `, Lease held by ${holder}` : ''
}

const place = 'in ConfigMap ballast-config'
const said = ({ upstream }: Swap, isOn: boolean) => `capabilities.${upstream.capability}.enabled: ${isOn} ${place}`

export const ownSection: OwnSide = {
  committed: { on: 'the section of the capability with enabled: true', off: 'enabled: false in the section of the capability' },
  obstacle: async () => undefined,
  needsToInstall(swap, { situation: { ours }, theirs, whole }) {
    const copied = ours === undefined && namedSecrets(whole.converted).size > 0 && theirs.namespace !== ballastNamespace
    const applied = ours === undefined ? switchedOn(swap, whole) : rights(swap, ours)
    return [
      ...applied.flatMap(object => ofObject(object, 'create', 'patch')),
      ...(copied ? [of(builtIn.secrets, theirs.namespace, 'get')] : []),
      ...(copied ? ['get', 'create', 'patch'].map(verb => of(builtIn.secrets, ballastNamespace, verb)) : []),
    ]
  },
  needsToSwitch: (_swap, ours) => [of(builtIn.configmaps, ours?.namespace ?? ballastNamespace, 'update')],
  async install(swap, { situation: { ours }, theirs, whole }) {
    const { capability } = swap.upstream
    if (theirs.replicas === 0) throw new StepFailed(`upstream is asleep: ${capability} is not switched off for nothing`)
    if (ours === undefined) {
      const secrets = await copiedSecrets(swap, whole.converted, { from: theirs.namespace, to: ballastNamespace })
      await applyAll(
        swap,
        switchedOn(swap, whole, secrets).map(object => switchedOff(swap, object)),
      )
      return
    }
    // The rights come first: what is switched on later must not wait for them.
    await applyAll(swap, rights(swap, ours))
    await writeSection(swap, ours, capability, { ...unsaid(swap, sectionOf(swap, whole.converted), ours), enabled: false })
  },
  async installed(swap, { situation: { ours }, whole: { converted } }) {
    const { capability } = swap.upstream
    if (ours === undefined) return no('the controller is not there')
    if (ours.config === undefined)
      return no(`the configuration in ${ours.namespace}/${ours.file?.metadata.name} is refused: ballast doctor names it`)
    if (ours.isEnabled || ours.isWorking) return no(`${capability} is on`)
    const wanted = unsaid(swap, sectionOf(swap, converted), ours)
    const missing = Object.entries(wanted).filter(([key, value]) => !isDeepStrictEqual(valueAt(ours.config, [key]), value))
    if (missing.length > 0) return no(`settings that upstream has are missing: ${missing.map(([key]) => key).join(', ')}`)
    const variables = missingVariables(converted, ours)
    if (variables.length > 0)
      return no(
        `upstream has variables that the controller has not: ${variables.join(', ')}; put them into controller.extraEnv of Ballast's values (ballast migrate values prints them), and the Secrets that they name into ${ours.namespace}`,
      )
    const lacking = await missingRights(swap, rights(swap, ours))
    if (lacking !== undefined) return no(`${lacking} is not as ${capability} needs it`)
    return ours.isReady
      ? yes(`the controller is ready and has its rights, ${capability} is off`)
      : no('no pod of the controller is ready')
  },
  async compare(swap, { situation: { ours }, whole: { converted } }) {
    const { shadow } = swap.upstream.replaced.swap
    if (shadow === undefined) return yes('nothing that it does can be computed beforehand')
    const { api, signal } = swap
    const lists = shadow.reads.map(({ resource, kind, metadataOnly = false }) =>
      listOf(api, resource, kind, { signal, metadataOnly }),
    )
    const theirs = sectionOf(swap, converted)
    // Before it is installed: what would be.
    return shadow.compare((await Promise.all(lists)).flat(), theirs, ours === undefined ? theirs : ours.config)
  },
  isAsleep(swap, situation) {
    const { isEnabled, isWorking } = theOurs(situation)
    const { does } = swap.upstream.replaced.swap
    return isEnabled || isWorking ? no(`ours ${does} still`) : yes(`nothing of ours ${does}`)
  },
  isAwake(swap, situation) {
    const { isEnabled, isWorking } = theOurs(situation)
    const { capability, replaced } = swap.upstream
    if (!isEnabled) return no(`${capability} is off in our configuration`)
    if (!isWorking) return no(`the leader does not say yet that ${capability} runs (ConfigMap ballast-status)`)
    return yes(`ours ${replaced.swap.does}${holderOf(situation, swap)}`)
  },
  async sleep(swap) {
    const { capability } = swap.upstream
    await writeSection(swap, theOurs(await readSituation(swap)), capability, { enabled: false })
    const ended = await eventually(swap, leadPatienceMs, async () =>
      (await readSituation(swap)).ours?.isWorking === true ? no(`ours still says that ${capability} runs`) : yes('it ended'),
    )
    if (!ended.ok) throw new StepFailed(`${ended.said}, after ${leadPatienceMs / 60_000} minutes`)
  },
  async wake(swap) {
    const ours = theOurs(await readSituation(swap))
    if (ours.config === undefined) throw new StepFailed('our configuration is refused: ballast doctor names it')
    await writeSection(swap, ours, swap.upstream.capability, { enabled: true })
  },
  awakeLoops: () => [],
  words: {
    installTitle: ({ upstream }, ours) =>
      ours === undefined
        ? `install Ballast with ${upstream.capability} off`
        : `Ballast is installed: give it the settings, with ${upstream.capability} off`,
    install: swap => `ballast manifests -f values.yaml | kubectl apply --server-side -f -   # with ${said(swap, false)}`,
    installUndo: (_swap, _theirs, ours) => (ours === undefined ? 'ballast uninstall' : '-'),
    shadow: ({ upstream }) => `ballast migrate apply ${upstream.replaced.id} --step 4`,
    wake: swap => said(swap, true),
    back: (swap, _theirs, _ours, wakeTheirs) => `${wakeTheirs}   # after ${said(swap, false)}`,
  },
}
