// Formats by name of Kubernetes' CEL library: `format.dns1123Label().validate(self)`. Rules are those of apimachinery's validation
// and of strfmt, which kube-openapi has for formats of definitions.
import {
  dns1035LabelProblems,
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  labelValueProblems,
  qualifiedNameProblems,
} from '../objects/names.ts'
import { timestampNanos } from './cel-literals.ts'
import { urlProblem } from './cel-urls.ts'
import { absent, CelValue, Optional } from './cel-values.ts'

type Problems = (text: string) => readonly string[]

/** A front of a name may end in a hyphen, since something follows it. */
const asFront = (problems: Problems) => (text: string) =>
  problems(text.length > 1 && text.endsWith('-') ? `${text.slice(0, -2)}a` : text)

const unless = (holds: (text: string) => boolean, problem: string) => (text: string) => (holds(text) ? [] : [problem])

const isDate = (text: string) => timestampNanos(`${text}T00:00:00Z`) !== undefined

function isDateTime(text: string): boolean {
  const [, day = '', hour = '', minute = '', second = ''] =
    /^(.*?)t(\d\d):(\d\d):(\d\d)(?:.\d+)?(?:z|[+-]\d\d:\d\d)$/is.exec(text) ?? []
  return isDate(day) && hour <= '23' && minute <= '59' && second <= '59'
}

const formats: ReadonlyMap<string, Problems> = new Map<string, Problems>([
  ['dns1123Label', dns1123LabelProblems],
  ['dns1123Subdomain', dns1123SubdomainProblems],
  ['dns1035Label', dns1035LabelProblems],
  ['qualifiedName', qualifiedNameProblems],
  ['dns1123LabelPrefix', asFront(dns1123LabelProblems)],
  ['dns1123SubdomainPrefix', asFront(dns1123SubdomainProblems)],
  ['dns1035LabelPrefix', asFront(dns1035LabelProblems)],
  ['labelValue', labelValueProblems],
  [
    'uri',
    text => {
      const problem = urlProblem(text)
      return problem === undefined ? [] : [problem]
    },
  ],
  [
    'uuid',
    unless(
      text => /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i.test(text),
      'does not match the UUID format',
    ),
  ],
  [
    'byte',
    unless(text => /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/.test(text), 'invalid base64'),
  ],
  ['date', unless(isDate, 'invalid date')],
  ['datetime', unless(isDateTime, 'invalid datetime')],
])

export class CelNamedFormat extends CelValue {
  readonly typeName = 'kubernetes.NamedFormat'
  readonly text: string
  readonly #problems: Problems

  private constructor(name: string, problems: Problems) {
    super()
    this.text = name
    this.#problems = problems
  }

  /** `undefined` where no format has that name. */
  static named(name: string): CelNamedFormat | undefined {
    const problems = formats.get(name)
    return problems === undefined ? undefined : new CelNamedFormat(name, problems)
  }

  isSameAs(other: unknown): boolean {
    return other instanceof CelNamedFormat && other.text === this.text
  }

  call(name: string, [text]: readonly unknown[]): unknown {
    if (name !== 'validate') return undefined
    const problems = this.#problems(String(text))
    return problems.length === 0 ? absent : new Optional(problems, true)
  }
}
