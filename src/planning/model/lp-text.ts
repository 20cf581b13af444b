// A linear program as text in CPLEX LP format, which HiGHS, CBC and GLPK read.

import type { LinearModel } from './linear-model.ts'

const longestLine = 200

/** The program with `objective` to be minimised. Free of machine and time: the same program gives the same bytes. */
export function lpText(model: LinearModel, objective: string): string {
  const name = (index: number) => model.columns[index]?.name ?? `column_${index}`
  const sum = (columns: readonly number[], coefficients: readonly number[]) =>
    wrapped(columns.map((column, at) => term(coefficients[at] ?? 0, name(column))))
  const goal = model.objectives.get(objective)
  const lines = ['Minimize', ` ${objective}: ${goal === undefined ? '' : sum(goal.columns, goal.coefficients)}`, 'Subject To']
  for (const row of model.rows) {
    const left = sum(row.columns, row.coefficients)
    if (row.lower === row.upper) lines.push(` ${row.name}: ${left} = ${numberText(row.upper)}`)
    else {
      if (row.upper !== Infinity) lines.push(` ${row.name}: ${left} <= ${numberText(row.upper)}`)
      if (row.lower !== -Infinity)
        lines.push(` ${row.name}${row.upper === Infinity ? '' : '_low'}: ${left} >= ${numberText(row.lower)}`)
    }
  }
  lines.push('Bounds')
  for (const column of model.columns) {
    const upper = column.upper === Infinity ? '+inf' : numberText(column.upper)
    lines.push(` ${numberText(column.lower)} <= ${column.name} <= ${upper}`)
  }
  const whole = model.columns.filter(column => column.isInteger).map(column => column.name)
  if (whole.length > 0) lines.push('Generals', ` ${wrapped(whole)}`)
  lines.push('End', '')
  return lines.join('\n')
}

function term(coefficient: number, name: string): string {
  const size = Math.abs(coefficient)
  return `${coefficient < 0 ? '-' : '+'} ${size === 1 ? '' : `${numberText(size)} `}${name}`
}

/** A number without exponent where that is short: old readers take `1e-7` for a name. */
function numberText(value: number): string {
  return Number.isInteger(value) ? value.toFixed(0) : String(value)
}

function wrapped(words: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const word of words) {
    if (line.length + word.length > longestLine) {
      lines.push(line)
      line = ''
    }
    line += line === '' ? word : ` ${word}`
  }
  return [...lines, line].join('\n  ')
}
