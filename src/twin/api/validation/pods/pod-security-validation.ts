// The security context of a pod as a whole, in upstream's order and words.
import { duplicate, type FieldError, invalid, notSupported, required } from '#kube/objects/field-error.ts'
import { type Draft, fieldsAt, integerAt, itemsAt, listAt, textAt } from '../../../json-value.ts'
import { identityProblems, idProblems } from '../container-validation.ts'
import { profileProblems } from './security-validation.ts'

/** What is wrong with the security context, at `at`, of a pod with this spec. */
export function podSecurityProblems(spec: Draft, at: string): readonly FieldError[] {
  const context = fieldsAt(spec, 'securityContext')
  if (context === undefined) return []
  const { seccomp, others } = profileProblems(context, at)
  return [
    ...identityProblems(context, at, ['fsGroup', 'runAsUser', 'runAsGroup']),
    ...listAt(context, 'supplementalGroups').flatMap((group, index) =>
      idProblems(integerAt({ group }, 'group'), `${at}.supplementalGroups[${index}]`),
    ),
    ...(spec['shareProcessNamespace'] === true && spec['hostPID'] === true
      ? [invalid(`${at}.shareProcessNamespace`, true, 'ShareProcessNamespace and HostPID cannot both be enabled')]
      : []),
    ...sysctlProblems(context, spec, `${at}.sysctls`),
    ...policyProblems(context, 'fsGroupChangePolicy', at, ['Always', 'OnRootMismatch']),
    ...seccomp,
    ...others,
    ...policyProblems(context, 'supplementalGroupsPolicy', at, ['Merge', 'Strict']),
    ...policyProblems(context, 'seLinuxChangePolicy', at, ['Recursive']),
  ]
}

function policyProblems(context: Draft, field: string, at: string, choices: readonly string[]): readonly FieldError[] {
  const value = textAt(context, field)
  return value === undefined || choices.includes(value) ? [] : [notSupported(`${at}.${field}`, value, choices)]
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/
const sysctlRule =
  'must have at most 253 characters and match regex ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$'
/** Settings of the kernel that a pod has of its own but where it shares what they are about. */
const shared: readonly (readonly [field: 'hostNetwork' | 'hostIPC', names: RegExp])[] = [
  ['hostNetwork', /^net\./],
  ['hostIPC', /^(kernel\.(sem|shmall|shmmax|shmmni|shm_rmid_forced|shm|msgmax|msgmnb|msgmni|msg)$|fs\.mqueue\.)/],
]

function sysctlProblems(context: Draft, spec: Draft, at: string): readonly FieldError[] {
  const names = new Set<string>()
  return itemsAt(context, 'sysctls').flatMap((sysctl, index): readonly FieldError[] => {
    const place = `${at}[${index}].name`
    const name = textAt(sysctl, 'name') ?? ''
    const isTaken = names.has(name)
    names.add(name)
    const isName = sysctlName.test(name) && name.length <= 253
    const field = shared.find(([, known]) => known.test(name.replaceAll('/', '.')))?.[0]
    return [
      ...(name === ''
        ? [required(place)]
        : isName
          ? isTaken
            ? [duplicate(place, name)]
            : []
          : [invalid(place, name, sysctlRule)]),
      ...(field !== undefined && spec[field] === true
        ? [invalid(place, name, `may not be specified when '${field}' is true`)]
        : []),
    ]
  })
}
