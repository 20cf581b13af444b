// Jobs, and templates of Jobs that come by the clock; in upstream's order and words.
import { duplicate, type FieldError, invalid, notSupported, required, tooLong, tooMany } from '#kube/objects/field-error.ts'
import { dns1123LabelProblems, dns1123SubdomainProblems, qualifiedNameProblems } from '#kube/objects/names.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { labelSelectorOf } from '#kube/objects/selector.ts'
import { parseCron } from '#kube/time/cron.ts'
import { timeZone } from '#kube/time/time-zone.ts'
import { type Draft, fieldsAt, itemsAt, listAt, numberAt, textAt, textsAt, valueAt } from '../../../json-value.ts'
import { printedStruct } from '../../../schema/printed-struct.ts'
import { podTemplateProblems } from '../pod-spec-validation.ts'
import { labelSelectorProblems } from '../selector-validation.ts'
import { parsedIndexes } from './job-indexes.ts'
import { matchProblems } from './workload-validation.ts'

/** Everything that is wrong with a Job. */
export function jobProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const selector = fieldsAt(spec, 'selector')
  const [name, completions] = [textAt(draft, 'metadata', 'name') ?? '', numberAt(spec, 'completions') ?? 0]
  const last = `${name}-${completions - 1}`
  const isIndexed = spec['completionMode'] === 'Indexed' && completions > 0
  return [
    ...generatedProblems(draft, spec),
    ...jobSpecProblems(spec, 'spec'),
    ...(selector === undefined ? [required('spec.selector')] : labelSelectorProblems('spec.selector', selector)),
    ...matchProblems(spec, true),
    ...(isIndexed && dns1123LabelProblems(last).length > 0
      ? [invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${last}`)]
      : []),
  ]
}

/** Labels and the selector by which a Job finds its own pods. */
function generatedProblems(draft: Draft, spec: Draft): readonly FieldError[] {
  const selector = fieldsAt(spec, 'selector')
  if (spec['manualSelector'] === true || selector === undefined) return []
  const [uid, name] = [textAt(draft, 'metadata', 'uid') ?? '', textAt(draft, 'metadata', 'name') ?? '']
  const wanted: Readonly<Record<string, string>> = {
    'controller-uid': uid,
    'job-name': name,
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': name,
  }
  const labels = textsAt(spec, 'template', 'metadata', 'labels')
  const problems = Object.entries(wanted).flatMap(([key, value]) => {
    const place = `spec.template.metadata.labels[${key}]`
    if (labels[key] === undefined) return [required(place, `must be '${value}'`)]
    return labels[key] === value ? [] : [invalid(place, labels, `must be '${value}'`)]
  })
  const parsed = labelSelectorOf(selector, 'spec.selector')
  const isOwn = !parsed.ok || parsed.value.matches(wanted)
  return isOwn ? problems : [...problems, invalid('spec.selector', selector, '`selector` not auto-generated')]
}

const counts = [
  ...['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished', 'backoffLimitPerIndex'],
  'maxFailedIndexes',
]
const longestManager = 63

function jobSpecProblems(spec: Draft, at: string): readonly FieldError[] {
  const mode = textAt(spec, 'completionMode')
  const manager = textAt(spec, 'managedBy')
  const success = fieldsAt(spec, 'successPolicy')
  const failure = fieldsAt(spec, 'podFailurePolicy')
  const isIndexed = mode === 'Indexed'
  return [
    ...counts.flatMap(name => {
      const value = numberAt(spec, name) ?? 0
      return value < 0 ? [invalid(`${at}.${name}`, value, 'must be greater than or equal to 0')] : []
    }),
    ...(spec['maxFailedIndexes'] !== undefined && spec['backoffLimitPerIndex'] === undefined
      ? [required(`${at}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified')]
      : []),
    ...(manager === undefined ? [] : domainPathProblems(manager, `${at}.managedBy`)),
    ...(Buffer.byteLength(manager ?? '') > longestManager ? [tooLong(`${at}.managedBy`, longestManager)] : []),
    ...(mode === undefined || mode === 'NonIndexed' || isIndexed
      ? []
      : [notSupported(`${at}.completionMode`, mode, ['NonIndexed', 'Indexed'])]),
    ...(isIndexed ? indexedProblems(spec, at) : []),
    ...(mode === undefined || mode === 'NonIndexed' ? ['backoffLimitPerIndex', 'maxFailedIndexes'] : []).flatMap(name =>
      spec[name] === undefined ? [] : [invalid(`${at}.${name}`, spec[name], 'requires indexed completion mode')],
    ),
    ...(failure === undefined ? [] : failureProblems(spec, failure, `${at}.podFailurePolicy`)),
    ...(success === undefined
      ? []
      : isIndexed
        ? successProblems(spec, success, `${at}.successPolicy`)
        : [invalid(`${at}.successPolicy`, printedStruct('SuccessPolicy', success), 'requires indexed completion mode')]),
    ...replacementProblems(spec, `${at}.podReplacementPolicy`),
    ...podTemplateProblems(fieldsAt(spec, 'template') ?? {}, `${at}.template`),
    ...restartProblems(spec, `${at}.template.spec.restartPolicy`),
  ]
}

function restartProblems(spec: Draft, place: string): readonly FieldError[] {
  const policy = textAt(spec, 'template', 'spec', 'restartPolicy') ?? ''
  if (policy === '' || policy === 'Always') return [required(place, 'valid values: "OnFailure", "Never"')]
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(place, policy, ['OnFailure', 'Never'])]
  return policy === 'OnFailure' && fieldsAt(spec, 'podFailurePolicy') !== undefined
    ? [invalid(place, policy, 'only "Never" is supported when podFailurePolicy is specified')]
    : []
}

function domainPathProblems(path: string, place: string): readonly FieldError[] {
  if (path === '') return [required(place)]
  const [domain = '', ...rest] = path.split('/')
  const below = rest.join('/')
  if (domain === '' || below === '') return [invalid(place, path, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const rule = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')"
  return [
    ...dns1123SubdomainProblems(domain).map(why => invalid(place, domain, why)),
    ...(/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(below) ? [] : [invalid(place, below, rule)]),
  ]
}

const [mostIndexes, mostInParallel, mostAboveIndexes] = [100_000, 100_000, 10_000]

function indexedProblems(spec: Draft, at: string): readonly FieldError[] {
  const [completions, parallelism, failed] = ['completions', 'parallelism', 'maxFailedIndexes'].map(name => numberAt(spec, name))
  const isLarge = (completions ?? 0) > mostIndexes && spec['backoffLimitPerIndex'] !== undefined
  const above = `when completions are above ${mostIndexes} and used with backoff limit per index`
  const over = (name: string, value: number | undefined, most: number, rule: string) =>
    value !== undefined && value > most ? [invalid(`${at}.${name}`, value, rule)] : []
  return [
    ...(completions === undefined ? [required(`${at}.completions`, 'when completion mode is Indexed')] : []),
    ...over(
      'parallelism',
      parallelism,
      mostInParallel,
      `must be less than or equal to ${mostInParallel} when completion mode is Indexed`,
    ),
    ...(completions === undefined
      ? []
      : over('maxFailedIndexes', failed, completions, 'must be less than or equal to completions')),
    ...over('maxFailedIndexes', failed, mostIndexes, `must be less than or equal to ${mostIndexes}`),
    ...(isLarge && failed === undefined
      ? [required(`${at}.maxFailedIndexes`, `must be specified when completions is above ${mostIndexes}`)]
      : []),
    ...(isLarge
      ? [
          ...over('parallelism', parallelism, mostAboveIndexes, `must be less than or equal to ${mostAboveIndexes} ${above}`),
          ...over('maxFailedIndexes', failed, mostAboveIndexes, `must be less than or equal to ${mostAboveIndexes} ${above}`),
        ]
      : []),
  ]
}

const replacements = ['Failed', 'TerminatingOrFailed']

function replacementProblems(spec: Draft, place: string): readonly FieldError[] {
  const policy = textAt(spec, 'podReplacementPolicy')
  const taken = fieldsAt(spec, 'podFailurePolicy') === undefined ? replacements : ['Failed']
  return policy === undefined || taken.includes(policy) ? [] : [notSupported(place, policy, taken)]
}

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']
const statuses = ['False', 'True', 'Unknown']
const [mostRules, mostPatterns, mostExitCodes] = [20, 20, 255]
/** Upstream tells what is valid as Go prints a list of texts. */
const validValues = (values: readonly string[]) => `valid values: [${values.map(value => JSON.stringify(value)).join(' ')}]`

function oneOf(value: string, place: string, values: readonly string[]): readonly FieldError[] {
  if (values.includes(value)) return []
  return [value === '' ? required(place, validValues(values)) : notSupported(place, value, values)]
}

function failureProblems(spec: Draft, policy: Draft, at: string): readonly FieldError[] {
  const rules = itemsAt(policy, 'rules')
  const names = new Set(
    ['containers', 'initContainers'].flatMap(list =>
      itemsAt(spec, 'template', 'spec', list).map(container => textAt(container, 'name') ?? ''),
    ),
  )
  return [
    ...(rules.length > mostRules ? [tooMany(`${at}.rules`, rules.length, mostRules)] : []),
    ...rules.flatMap((rule, index): readonly FieldError[] => {
      const place = `${at}.rules[${index}]`
      const [action, codes] = [textAt(rule, 'action') ?? '', fieldsAt(rule, 'onExitCodes')]
      const patterns = itemsAt(rule, 'onPodConditions')
      const omitted = (why: string): FieldError => ({ type: 'FieldValueInvalid', field: place, body: `Invalid value: ${why}` })
      return [
        ...oneOf(action, `${place}.action`, actions),
        ...(action === 'FailIndex' && spec['backoffLimitPerIndex'] === undefined
          ? [invalid(`${place}.action`, action, 'requires the backoffLimitPerIndex to be set')]
          : []),
        ...(codes === undefined ? [] : exitCodeProblems(codes, `${place}.onExitCodes`, names)),
        ...(patterns.length > mostPatterns ? [tooMany(`${place}.onPodConditions`, patterns.length, mostPatterns)] : []),
        ...patterns.flatMap((pattern, number) => {
          const type = textAt(pattern, 'type') ?? ''
          const where = `${place}.onPodConditions[${number}]`
          return [
            ...qualifiedNameProblems(type).map(why => invalid(`${where}.type`, type, why)),
            ...oneOf(textAt(pattern, 'status') ?? '', `${where}.status`, statuses),
          ]
        }),
        ...(codes !== undefined && patterns.length > 0
          ? [omitted('specifying both OnExitCodes and OnPodConditions is not supported')]
          : []),
        ...(codes === undefined && patterns.length === 0
          ? [omitted('specifying one of OnExitCodes and OnPodConditions is required')]
          : []),
      ]
    }),
  ]
}

function exitCodeProblems(codes: Draft, at: string, names: ReadonlySet<string>): readonly FieldError[] {
  const [operator, name] = [textAt(codes, 'operator') ?? '', textAt(codes, 'containerName')]
  const values = listAt(codes, 'values').map(Number)
  const shown = values.length === 0 && !Array.isArray(codes['values']) ? null : values
  return [
    ...oneOf(operator, `${at}.operator`, ['In', 'NotIn']),
    ...(name === undefined || names.has(name)
      ? []
      : [invalid(`${at}.containerName`, name, 'must be one of the container or initContainer names in the pod template')]),
    ...(values.length === 0 ? [invalid(`${at}.values`, shown, 'at least one value is required')] : []),
    ...(values.length > mostExitCodes ? [tooMany(`${at}.values`, values.length, mostExitCodes)] : []),
    ...values.flatMap((value, index) => [
      ...(operator === 'In' && value === 0 ? [invalid(`${at}.values[${index}]`, 0, 'must not be 0 for the In operator')] : []),
      ...(values.indexOf(value) < index ? [duplicate(`${at}.values[${index}]`, value)] : []),
    ]),
    ...(values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value)
      ? [invalid(`${at}.values`, values, 'must be ordered')]
      : []),
  ]
}

const largestIndexText = 64 * 1024

function successProblems(spec: Draft, policy: Draft, at: string): readonly FieldError[] {
  const rules = itemsAt(policy, 'rules')
  const completions = numberAt(spec, 'completions') ?? 0
  return [
    ...(rules.length === 0
      ? [required(`${at}.rules`, 'at least one rules must be specified when the successPolicy is specified')]
      : []),
    ...(rules.length > mostRules ? [tooMany(`${at}.rules`, rules.length, mostRules)] : []),
    ...rules.flatMap((rule, index): readonly FieldError[] => {
      const place = `${at}.rules[${index}]`
      const [indexes, count] = [textAt(rule, 'succeededIndexes'), numberAt(rule, 'succeededCount')]
      const parsed = parsedIndexes(indexes ?? '', completions)
      const least = 'must be less than or equal to'
      const over = (most: number, what: string) =>
        count !== undefined && count > most ? [invalid(`${place}.succeededCount`, count, `${least} ${most} (${what})`)] : []
      return [
        ...(indexes === undefined && count === undefined
          ? [required(place, 'at least one of succeededCount or succeededIndexes must be specified')]
          : []),
        ...(Buffer.byteLength(indexes ?? '') > largestIndexText ? [tooLong(`${place}.succeededIndexes`, largestIndexText)] : []),
        ...(parsed.why === undefined
          ? []
          : [invalid(`${place}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${parsed.why}`)]),
        ...(count !== undefined && count < 0
          ? [invalid(`${place}.succeededCount`, count, 'must be greater than or equal to 0')]
          : []),
        ...over(completions, 'the number of specified completions'),
        ...(indexes === undefined ? [] : over(parsed.total, 'the number of indexes in the specified succeededIndexes field')),
      ]
    }),
  ]
}

/** Everything that is wrong with a CronJob; `before` is what it was. */
export function cronJobProblems(draft: Draft, before: KubeObject | undefined): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const [policy, name] = [textAt(spec, 'concurrencyPolicy') ?? '', textAt(draft, 'metadata', 'name') ?? '']
  const template = fieldsAt(spec, 'jobTemplate', 'spec') ?? {}
  const at = 'spec.jobTemplate.spec'
  const policies = ['Allow', 'Forbid', 'Replace']
  const countsOf = (...names: readonly string[]) =>
    names.flatMap(field => {
      const value = numberAt(spec, field) ?? 0
      return value < 0 ? [invalid(`spec.${field}`, value, 'must be greater than or equal to 0')] : []
    })
  return [
    ...scheduleProblems(spec, fieldsAt(before, 'spec')),
    ...countsOf('startingDeadlineSeconds'),
    ...(before !== undefined && valueAt(before, 'spec', 'timeZone') === spec['timeZone'] ? [] : zoneProblems(spec)),
    ...(policies.includes(policy)
      ? []
      : [policy === '' ? required('spec.concurrencyPolicy') : notSupported('spec.concurrencyPolicy', policy, policies)]),
    ...jobSpecProblems(template, at),
    ...(fieldsAt(template, 'selector') === undefined
      ? []
      : [invalid(`${at}.selector`, template['selector'], '`selector` will be auto-generated')]),
    ...(template['manualSelector'] === true ? [notSupported(`${at}.manualSelector`, true, ['nil', 'false'])] : []),
    ...countsOf('successfulJobsHistoryLimit', 'failedJobsHistoryLimit'),
    ...(before === undefined && Buffer.byteLength(name) > longestCronJobName
      ? [invalid('metadata.name', name, `must be no more than ${longestCronJobName} characters`)]
      : []),
  ]
}

/** Names of its Jobs end with eleven more characters. */
const longestCronJobName = 52

function scheduleProblems(spec: Draft, before: Draft | undefined): readonly FieldError[] {
  const schedule = textAt(spec, 'schedule') ?? ''
  if (schedule === '') return [required('spec.schedule')]
  const parsed = parseCron(schedule)
  const isZoned = schedule.includes('TZ')
  const wasZoned = (textAt(before, 'schedule') ?? '').includes('TZ')
  const both = 'cannot use both timeZone field and TZ or CRON_TZ in schedule'
  const instead = 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead'
  return [
    ...(parsed.ok
      ? []
      : [invalid('spec.schedule', schedule, /\((.*)\)$/s.exec(parsed.problem.expected)?.[1] ?? parsed.problem.expected)]),
    ...(isZoned && wasZoned && spec['timeZone'] !== undefined ? [invalid('spec.schedule', schedule, both)] : []),
    ...(isZoned && !wasZoned ? [invalid('spec.schedule', schedule, instead)] : []),
  ]
}

function zoneProblems(spec: Draft): readonly FieldError[] {
  const zone = textAt(spec, 'timeZone')
  if (zone === undefined) return []
  if (zone === '') return [invalid('spec.timeZone', zone, 'timeZone must be nil or non-empty string')]
  const parts = zone.split('/')
  const isOdd = parts.some(part => part === '.' || part === '..' || !/^[A-Za-z._0-9+][-A-Za-z._0-9+]{0,13}$/.test(part))
  if (isOdd) return [invalid('spec.timeZone', zone, `unknown time zone ${zone}`)]
  const local = 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones'
  return [
    ...(zone.toLowerCase() === 'local' ? [invalid('spec.timeZone', zone, local)] : []),
    ...(zone !== 'Local' && timeZone(zone) === undefined ? [invalid('spec.timeZone', zone, `unknown time zone ${zone}`)] : []),
  ]
}
