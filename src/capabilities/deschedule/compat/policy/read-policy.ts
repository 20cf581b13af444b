// A DeschedulerPolicy v1alpha2 from its text. The top level is lax as upstream's (an unknown field does nothing), plugins' arguments are
// strict. Everything that is wrong is said at once.
import { isFields } from '#cluster/loose-fields.ts'
import type { Problem } from '#kube/problem.ts'
import type { DeschedulerPolicy, PrometheusProvider } from './args.ts'
import { nodeSelectorIn, type PriorityOf } from './evictor-args.ts'
import { FieldReader, type PolicyFindings } from './fields.ts'
import { parsePolicyText } from './policy-text.ts'
import { readProfile } from './read-profile.ts'

const policyVersion = 'descheduler/v1alpha2'
const policyKind = 'DeschedulerPolicy'

type PolicyReading =
  | {
      readonly ok: true
      readonly policy: DeschedulerPolicy
      /** Paths of fields that do nothing: a `strategies` block of v1alpha1 under a newer header. */
      readonly unknownFields: readonly string[]
      /** What is allowed and probably not meant. */
      readonly notes: readonly string[]
    }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** The policy that `text` (YAML or JSON) says. `file` names it in problems; `priorityOf` knows the cluster's PriorityClasses. */
export function readPolicy(text: string, options: { readonly file: string; readonly priorityOf: PriorityOf }): PolicyReading {
  const parsed = parsePolicyText(text, options.file)
  if (!parsed.ok) return { ok: false, problems: [parsed.problem] }
  const kindProblem = checkKind(parsed.value, options.file)
  if (kindProblem !== undefined) return { ok: false, problems: [kindProblem] }
  const findings: PolicyFindings = { problems: [], unknownFields: [], notes: [] }
  const fields = isFields(parsed.value) ? parsed.value : {}
  const reader = new FieldReader(fields, { findings, prefix: '', path: '', struct: policyKind, root: '' })
  for (const name of ['apiVersion', 'kind']) reader.value(name)
  const profiles = reader.maps('profiles', 'v1alpha2.DeschedulerProfile').map(profile => readProfile(profile, options.priorityOf))
  const policy: DeschedulerPolicy = {
    ...readLimits(reader),
    ...readMetrics(reader),
    nodeSelector: nodeSelectorIn(reader),
    profiles,
  }
  if (findings.problems.length > 0) return { ok: false, problems: findings.problems }
  return {
    ok: true,
    policy,
    unknownFields: [...parsed.ignored, ...reader.unknownNames()],
    notes: [...findings.notes, ...opposed(policy)],
  }
}

/** One fills nodes up to empty others, the other levels them; all profiles work on the nodes of the policy's one selector. */
function opposed({ profiles }: DeschedulerPolicy): readonly string[] {
  const of = (plugin: 'LowNodeUtilization' | 'HighNodeUtilization') =>
    profiles.filter(({ balance }) => balance.some(args => args.plugin === plugin)).map(({ name }) => name)
  const [low, high] = [of('LowNodeUtilization'), of('HighNodeUtilization')]
  if (low.length === 0 || high.length === 0) return []
  return [
    `LowNodeUtilization (profile ${low.join(', ')}) and HighNodeUtilization (profile ${high.join(', ')}) work on the same nodes: what one gathers the other spreads`,
  ]
}

/** All of `problems` as the one text with which a start is refused: a line each. */
export function policyRefusal(problems: readonly Problem[]): string {
  return problems
    .map(({ where, message, found, expected }) =>
      message === undefined
        ? `${where}: found ${JSON.stringify(found)}, expected ${expected}`
        : `${message} (expected ${expected})`,
    )
    .join('\n')
}

function checkKind(value: unknown, file: string): Problem | undefined {
  const fields = isFields(value) ? value : {}
  const { apiVersion = '', kind = '' } = fields
  if (apiVersion === policyVersion && kind === policyKind) return undefined
  const why =
    kind === ''
      ? `Object 'Kind' is missing in '${file}'`
      : `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`
  const isOld = apiVersion === 'descheduler/v1alpha1'
  return {
    code: 'policy-kind',
    where: file,
    found: `apiVersion: ${String(apiVersion)}, kind: ${String(kind)}`,
    expected: `apiVersion: ${policyVersion}, kind: ${policyKind}${isOld ? '; strategies of v1alpha1 are plugins of profiles there' : ''}`,
    message: `failed decoding descheduler's policy config "${file}": ${why}`,
  }
}

function readLimits(
  reader: FieldReader,
): Pick<DeschedulerPolicy, 'limits' | 'gracePeriodSeconds' | 'evictionFailureEventNotification'> {
  const total = reader.whole('maxNoOfPodsToEvictTotal', 'uint')
  const node = reader.whole('maxNoOfPodsToEvictPerNode', 'uint')
  const namespace = reader.whole('maxNoOfPodsToEvictPerNamespace', 'uint')
  const gracePeriodSeconds = reader.whole('gracePeriodSeconds', 'int64')
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds < 0) {
    const message = 'gracePeriodSeconds must be a non-negative integer'
    reader.refuse({ field: 'gracePeriodSeconds', found: gracePeriodSeconds, expected: 'seconds from 0 up', message })
  }
  return {
    limits: {
      ...(total !== undefined && { total }),
      ...(node !== undefined && { node }),
      ...(namespace !== undefined && { namespace }),
    },
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    evictionFailureEventNotification: reader.flag('evictionFailureEventNotification') ?? false,
  }
}

type MetricsPart = Pick<DeschedulerPolicy, 'kubernetesMetrics' | 'prometheus'>

function readMetrics(reader: FieldReader): MetricsPart {
  const hasCollector = reader.map('metricsCollector', 'v1alpha2.MetricsCollector')?.flag('enabled') ?? false
  if (hasCollector) reader.note("metricsCollector is deprecated: use metricsProviders with source 'KubernetesMetrics'")
  const seen = new Set<string>()
  let prometheus: PrometheusProvider | undefined
  for (const provider of reader.maps('metricsProviders', 'v1alpha2.MetricsProvider')) {
    const source = provider.text('source') ?? ''
    const settings = provider.map('prometheus', 'v1alpha2.Prometheus')
    checkSource(provider, { source, isRepeated: seen.has(source) })
    if (source === 'Prometheus') prometheus ??= readPrometheus(provider, settings)
    seen.add(source)
  }
  if (hasCollector && seen.has('KubernetesMetrics')) {
    const message = 'it is not allowed to combine metrics provider when metrics collector is enabled'
    reader.refuse({ field: 'metricsCollector', found: true, expected: 'the provider alone', message })
  }
  return { kubernetesMetrics: hasCollector || seen.has('KubernetesMetrics'), ...(prometheus && { prometheus }) }
}

function checkSource(provider: FieldReader, given: { readonly source: string; readonly isRepeated: boolean }): void {
  const { source, isRepeated } = given
  if (isRepeated) {
    const message = `metric provider "${source}" is already configured, each source can be configured only once`
    provider.refuse({ field: 'source', found: source, expected: 'each source once', message })
  }
  if (source === 'KubernetesMetrics' || source === 'Prometheus') return
  const message = `metric provider "${source}" is not supported`
  provider.refuse({ field: 'source', found: source, expected: 'KubernetesMetrics or Prometheus', message })
}

function readPrometheus(provider: FieldReader, settings: FieldReader | undefined): PrometheusProvider {
  if (settings === undefined) {
    const message = 'prometheus configuration is required when prometheus source is enabled'
    provider.refuse({ field: 'prometheus', found: undefined, expected: '`url`', message })
    return { url: '' }
  }
  const url = settings.text('url') ?? ''
  if (url === '') {
    const message = 'prometheus URL is required when prometheus is enabled'
    settings.refuse({ field: 'url', found: url, expected: 'the address of a Prometheus server', message })
  } else if (!isHttpAddress(url)) {
    // Not told whole: a password may stand in it.
    const message = 'error parsing prometheus URL: it is no absolute http or https address'
    settings.refuse({ field: 'url', found: '(not shown)', expected: 'an absolute http or https address', message })
  }
  const token = settings.map('authToken', 'v1alpha2.AuthToken')
  if (token === undefined) return { url }
  const secret = token.map('secretReference', 'v1alpha2.SecretReference')
  const [namespace = '', name = ''] = [secret?.text('namespace'), secret?.text('name')]
  if (secret === undefined) {
    const message = 'prometheus authToken secret is expected to be set when authToken field is'
    token.refuse({ field: 'secretReference', found: undefined, expected: '`namespace` and `name` of a Secret', message })
  } else if (namespace === '' || name === '') {
    const message = 'prometheus authToken secret reference does not set both namespace and name'
    secret.refuse({ found: { namespace, name }, expected: '`namespace` and `name` of a Secret', message })
  }
  return { url, tokenSecret: { namespace, name } }
}

function isHttpAddress(text: string): boolean {
  return /^https?:\/\//.test(text) && URL.canParse(text)
}
