// What an API server refuses in an APIService, in its words.
import { type FieldError, invalid, required } from '#kube/objects/field-error.ts'
import { dns1035LabelProblems, dns1123SubdomainProblems } from '#kube/objects/names.ts'
import { type Draft, fieldsAt, numberAt, textAt } from '../json-value.ts'
import { apiServiceName } from './local-api-services.ts'

const mostGroupPriority = 20_000
const mostVersionPriority = 1_000

/** Everything that is wrong with it. */
export function apiServiceProblems(draft: Draft): readonly FieldError[] {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const name = textAt(draft, 'metadata', 'name') ?? ''
  const wanted = apiServiceName(textAt(spec, 'group') ?? '', textAt(spec, 'version') ?? '')
  const problems: FieldError[] = []
  const [group, version] = [textAt(spec, 'group') ?? '', textAt(spec, 'version') ?? '']
  const rule = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`
  const base = textAt(draft, 'metadata', 'generateName') ?? ''
  if (base !== '' && base !== wanted) problems.push(invalid('metadata.generateName', base, rule))
  if (name !== '' && name !== wanted) problems.push(invalid('metadata.name', name, rule))
  if (group === '' && version !== 'v1')
    problems.push(required('spec.group', 'only v1 may have an empty group and it better be legacy kube'))
  if (group !== '') problems.push(...dns1123SubdomainProblems(group).map(rule => invalid('spec.group', group, rule)))
  problems.push(...dns1035LabelProblems(version).map(rule => invalid('spec.version', version, rule)))
  const priority = (field: string, most: number) => {
    const value = numberAt(spec, field) ?? 0
    if (value <= 0 || value > most) problems.push(invalid(`spec.${field}`, value, `must be positive and less than ${most}`))
  }
  priority('groupPriorityMinimum', mostGroupPriority)
  priority('versionPriority', mostVersionPriority)
  const service = fieldsAt(spec, 'service')
  const bundle = Buffer.from(textAt(spec, 'caBundle') ?? '', 'base64')
  if (service === undefined) {
    if (bundle.byteLength > 0)
      problems.push(invalid('spec.caBundle', `${bundle.byteLength} bytes`, 'local APIServices may not have a caBundle'))
    if (spec['insecureSkipTLSVerify'] === true)
      problems.push(invalid('spec.insecureSkipTLSVerify', true, 'local APIServices may not have insecureSkipTLSVerify'))
    return problems
  }
  if ((textAt(service, 'namespace') ?? '') === '') problems.push(required('spec.service.namespace'))
  if ((textAt(service, 'name') ?? '') === '') problems.push(required('spec.service.name'))
  const port = numberAt(service, 'port') ?? 443
  if (port < 1 || port > 65_535)
    problems.push(invalid('spec.service.port', port, 'port is not valid: must be between 1 and 65535, inclusive'))
  if (spec['insecureSkipTLSVerify'] === true && bundle.byteLength > 0)
    problems.push(invalid('spec.insecureSkipTLSVerify', true, 'may not be true if caBundle is present'))
  return problems
}
