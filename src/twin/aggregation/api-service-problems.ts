// What an API server refuses in an APIService, in its words.
import { type FieldError, invalid, required } from '#kube/objects/field-error.ts'
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
  if (name !== wanted)
    problems.push(invalid('metadata.name', name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`))
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
