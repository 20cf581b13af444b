// The part of kubectl's JSONPath that printer columns use: fields, quoted fields, indexes, `[*]` and one kind of filter.

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly operator: '==' | '!='; readonly value: string }

const compiled = new Map<string, readonly Step[]>()

/** The values a path such as `.status.conditions[?(@.type=="Ready")].status` yields; none where it leads nowhere. */
export function readPath(value: unknown, path: string): readonly unknown[] {
  let steps = compiled.get(path)
  if (steps === undefined) {
    steps = stepsOf(path)
    compiled.set(path, steps)
  }
  return follow([value], steps)
}

function follow(start: readonly unknown[], steps: readonly Step[]): readonly unknown[] {
  return steps.reduce<readonly unknown[]>((values, step) => values.flatMap(value => take(value, step)), start)
}

function take(value: unknown, step: Step): readonly unknown[] {
  switch (step.kind) {
    case 'field':
      return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, step.name)
        ? present(Reflect.get(value, step.name))
        : []
    case 'index':
      return Array.isArray(value) ? present(value.at(step.index)) : []
    case 'all':
      return Array.isArray(value) ? value : typeof value === 'object' && value !== null ? Object.values(value) : []
    case 'filter':
      return Array.isArray(value) ? value.filter(item => passes(item, step)) : []
  }
}

function passes(item: unknown, step: Extract<Step, { kind: 'filter' }>): boolean {
  const found = follow([item], step.path)
  return found.some(candidate => String(candidate) === step.value) === (step.operator === '==')
}

function present(value: unknown): readonly unknown[] {
  return value === undefined ? [] : [value]
}

const token =
  /\.?([A-Za-z0-9_/-]+(?:\\\.[A-Za-z0-9_/-]+)*)|\[(-?\d+)\]|\[\*\]|\.\*|\['((?:[^'\\]|\\.)*)'\]|\[\?\(@(\.[^=!\s]+)\s*(==|!=)\s*["']?([^"')]*)["']?\)\]/y

function stepsOf(path: string): readonly Step[] {
  const text = path.replace(/^\{|\}$/g, '').replace(/^\$/, '')
  const steps: Step[] = []
  // The position is kept here: a filter's own path is read by the same expression in between.
  let at = 0
  while (at < text.length) {
    token.lastIndex = at
    const match = token.exec(text)
    if (match === null) return [{ kind: 'field', name: text }]
    at = token.lastIndex
    steps.push(stepOf(match))
  }
  return steps
}

function stepOf(match: RegExpExecArray): Step {
  const [whole, field, index, quoted, filterPath, operator, value] = match
  if (field !== undefined) return { kind: 'field', name: field.replaceAll('\\', '') }
  if (index !== undefined) return { kind: 'index', index: Number(index) }
  if (quoted !== undefined) return { kind: 'field', name: quoted.replaceAll('\\', '') }
  if (filterPath !== undefined)
    return { kind: 'filter', path: stepsOf(filterPath), operator: operator === '!=' ? '!=' : '==', value: value ?? '' }
  return whole === '[*]' || whole === '.*' ? { kind: 'all' } : { kind: 'field', name: whole }
}
