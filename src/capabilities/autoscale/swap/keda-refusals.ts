// What scalers of ours refuse of a trigger that KEDA takes, found by opening it as the operator would: no source is asked, and no Secret read.
// What only a Secret, a store or a token holds stays unknown, and nothing is said of what hangs on it.
import type { Api } from '#kube/client/api.ts'
import type { Clock } from '#kube/clock.ts'
import { silentLog } from '#kube/log.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { isOutside, OutsideError } from '#kube/outside-error.ts'
import type { TimedReads } from '#upstreams/upstream.ts'
import { autoscaleConfiguration } from '../config.ts'
import { credentialsOf } from '../credentials/credentials.ts'
import type { TriggerAuthentication, TriggerAuthenticationSpec } from '../kinds/trigger-authentication.ts'
import { type Trigger, trigger as triggerSchema } from '../kinds/triggers.ts'
import { Outgoing } from '../scalers/outgoing.ts'
import { scalerKind } from '../scalers/registry.ts'
import type { ScalerKind, ScalerWorld } from '../scalers/scaler.ts'
import { type GivenParameters, NotInBallast, TriggerProblem } from '../triggers/parameters.ts'

/** Stands for each value that is not known here. */
const unknown = '\u0001unknown'

export interface Refusals {
  /** Why ours refuses the trigger at `index`, where KEDA takes it; `undefined`: nothing is known against it. */
  of(object: KubeObject, index: number, used: KubeObject | undefined): Promise<string | undefined>
}

/** `section`: of our configuration. */
export function refusalsOf({ api, clock, signal }: TimedReads, section: unknown): Refusals & AsyncDisposable {
  const outgoing = new Outgoing({
    clock,
    timeoutMs: 1,
    guard: { allowed: [] },
    dial: async host => {
      throw new OutsideError(`${host} is not asked`)
    },
  })
  const data = dataOf(api)
  const cluster = { data: data.data, pods: () => [], endpoints: async () => [] }
  const world: ScalerWorld = { clock, log: silentLog, outgoing, cluster }
  const config = autoscaleConfiguration.parse({ clusterObjectNamespace: textAt(section, 'clusterObjectNamespace') ?? '' })
  const given = async (object: KubeObject, trigger: Trigger, used: KubeObject | undefined): Promise<GivenParameters> => {
    const spec = withoutStores(Object(used?.['spec']))
    const found = used === undefined ? undefined : ({ ...used, spec } as TriggerAuthentication)
    const authentications = { store: { get: () => found } }
    const read = credentialsOf({
      ...{ api, log: silentLog, config, ownNamespace: '', data, outgoing },
      ...{ authentications, clusterAuthentications: authentications },
    })
    const needsTemplate = spec.env !== undefined || namedVariables(trigger).length > 0
    const template = needsTemplate ? await templateOf(api, object, signal) : undefined
    const container =
      textAt(object, 'spec', 'scaleTargetRef', 'envSourceContainerName') ?? textAt(object, 'spec', 'envSourceContainerName')
    const { metadata, env, auth } = await read(
      { trigger, namespace: object.metadata.namespace ?? '', template, container },
      signal,
    )
    const variables = { ...Object.fromEntries(namedVariables(trigger).map(name => [name, unknown])), ...env }
    const missing = template === undefined ? (spec.env ?? []).map(({ parameter }) => [parameter, unknown]) : []
    return { metadata, env: whole(variables), auth: whole({ ...auth, ...Object.fromEntries(missing) }) }
  }
  return {
    async of(object, index, used) {
      const parsed = triggerSchema.safeParse(listAt(object, 'spec', 'triggers')[index])
      const kind = parsed.success ? await loadedKind(parsed.data.type, clock) : undefined
      if (!parsed.success || kind === undefined || isNowhereRead(used)) return undefined
      const { type, name, metricType } = parsed.data
      const { namespace = '', uid = '', generation = 1 } = object.metadata
      const kindOfOwner = object.kind === 'ScaledJob' ? 'ScaledJob' : 'ScaledObject'
      const owner = { kind: kindOfOwner, namespace, name: object.metadata.name, uid, generation } as const
      let parameters: GivenParameters | undefined
      try {
        parameters = await given(object, parsed.data, used)
        await using _opened = await kind.open({ type, name, metricType, index, owner, given: parameters }, world)
        return undefined
      } catch (error) {
        if (!(error instanceof TriggerProblem)) {
          // What cannot be reached from here may be reached by the operator.
          if (parameters !== undefined && isOutside(error)) return undefined
          throw error
        }
        return isOfOurs(error, object, parameters) ? error.message.replaceAll('\n', '; ') : undefined
      }
    },
    [Symbol.asyncDispose]: () => outgoing[Symbol.asyncDispose](),
  }
}

async function loadedKind(type: string, clock: Clock): Promise<ScalerKind | undefined> {
  using _held = clock.hold()
  return await scalerKind(type)
}

/** Is it for Ballast's sake? What is wrong for KEDA, too, was so before, and what hangs on the unknown is unknown. */
function isOfOurs(error: TriggerProblem, object: KubeObject, given: GivenParameters | undefined): boolean {
  if (given === undefined || error.message.includes(unknown)) return false
  if (error instanceof NotInBallast) return true
  const isWhole = [given.env, given.auth].every(values => !Object.values(values).includes(unknown))
  return isWhole && listAt(object, 'status', 'conditions').some(isReady)
}

const isReady = (condition: unknown): boolean => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True'

const namedVariables = ({ metadata }: Trigger): readonly string[] =>
  Object.entries(metadata).flatMap(([key, value]) => (key.endsWith('FromEnv') ? [value] : []))

/** A text that has something unknown in it is unknown. */
const whole = (values: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [key, value.includes(unknown) ? unknown : value]))

/** Identities, files and stores of clouds are obstacles by themselves, or known to the operator alone. */
const nowhereRead = ['azureKeyVault', 'gcpSecretManager', 'awsSecretManager', 'azureServicePrincipal'] as const

function isNowhereRead(used: KubeObject | undefined): boolean {
  const spec = used?.['spec']
  const identity = textAt(spec, 'podIdentity', 'provider') ?? 'none'
  return identity !== 'none' || (textAt(spec, 'filePath') ?? '') !== '' || nowhereRead.some(key => at(spec, key) !== undefined)
}

/** What Vault and tokens give is not known here either, like the values of Secrets. */
function withoutStores({
  hashiCorpVault,
  boundServiceAccountToken = [],
  ...spec
}: TriggerAuthenticationSpec): TriggerAuthenticationSpec {
  const kept = [...(hashiCorpVault?.secrets ?? []), ...boundServiceAccountToken]
  const refs = kept.map(({ parameter }) => ({ parameter, name: '', key: '' }))
  return { ...spec, secretTargetRef: [...(spec.secretTargetRef ?? []), ...refs] }
}

/** Each key of it is there, with an unknown value. */
const anything: Readonly<Record<string, string>> = new Proxy<Record<string, string>>(
  {},
  {
    get: () => unknown,
    getOwnPropertyDescriptor: () => ({ value: unknown, enumerable: true, configurable: true, writable: true }),
  },
)

/** ConfigMaps as they are, as far as they may be read; of Secrets nothing. */
function dataOf(api: Api): Parameters<typeof credentialsOf>[0]['data'] {
  return {
    readsSecretsOf: () => true,
    async data(kind, namespace, name, signal) {
      if (kind === 'Secret') return anything
      try {
        const found = await api.resource<KubeObject>(builtIn.configmaps).get(name, { namespace, signal })
        return Object.fromEntries(Object.entries(Object(found['data'])).map(([key, value]) => [key, String(value)]))
      } catch (error) {
        if (isForbidden(error)) return anything
        throw error
      }
    },
  }
}

/** The template of the pods that it makes; `undefined`: not known here. */
async function templateOf(api: Api, object: KubeObject, signal: AbortSignal): Promise<unknown> {
  if (object.kind === 'ScaledJob') return at(object, 'spec', 'jobTargetRef', 'template')
  const kind = textAt(object, 'spec', 'scaleTargetRef', 'kind') ?? 'Deployment'
  const apiVersion = textAt(object, 'spec', 'scaleTargetRef', 'apiVersion') ?? 'apps/v1'
  const resource = { Deployment: builtIn.deployments, StatefulSet: builtIn.statefulsets }[kind]
  if (resource === undefined || apiVersion !== 'apps/v1') return undefined
  const { namespace } = object.metadata
  try {
    const name = textAt(object, 'spec', 'scaleTargetRef', 'name') ?? ''
    return at(await api.resource<KubeObject>(resource).get(name, { namespace, signal }), 'spec', 'template')
  } catch (error) {
    if (isForbidden(error) || isNotFound(error)) return undefined
    throw error
  }
}
