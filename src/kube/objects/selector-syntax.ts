// The grammar of label selector texts. What a requirement may contain is checked by the caller.

import { goQuote } from './field-error.ts'
import { qualifiedNameProblems } from './names.ts'
import type { SelectorOperator, SelectorRequirement } from './selector-requirement.ts'

interface Token {
  readonly kind: 'word' | 'symbol' | 'end'
  readonly text: string
}

const endOfText: Token = { kind: 'end', text: '' }
const operatorList = 'in, notin, =, ==, !=, gt, lt'
const operatorsOfSymbols: Readonly<Record<string, SelectorOperator>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
}

/** Thrown inside this file only: where the text leaves the grammar. */
class SyntaxMessage extends Error {}

/** The requirements of `text` in its order, or Kubernetes' message. `check` says what is wrong with a requirement. */
export function parseRequirements(
  text: string,
  check: (requirement: SelectorRequirement) => string | undefined,
): readonly SelectorRequirement[] | string {
  try {
    return readRequirements(new Tokens(text), check)
  } catch (error) {
    if (error instanceof SyntaxMessage) return error.message
    throw error
  }
}

class Tokens {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string) {
    // A word ends at a blank or symbol; of the symbols the longest that is one is taken.
    this.#tokens = Array.from(text.matchAll(/[=!]=|[=!(),><]|[^=!(),><\t\n\r ]+/g), ([token]) => ({
      kind: /^[=!(),><]/.test(token) ? 'symbol' : 'word',
      text: token,
    }))
  }

  peek(): Token {
    return this.#tokens[this.#at] ?? endOfText
  }

  take(): Token {
    const token = this.peek()
    this.#at++
    return token
  }
}

function readRequirements(
  tokens: Tokens,
  check: (requirement: SelectorRequirement) => string | undefined,
): readonly SelectorRequirement[] {
  const requirements: SelectorRequirement[] = []
  if (tokens.peek().kind === 'end') return requirements
  for (;;) {
    const first = tokens.peek()
    if (first.kind !== 'word' && first.text !== '!') throw found(first, ", expected: !, identifier, or 'end of string'")
    requirements.push(readChecked(tokens, check))
    const next = tokens.take()
    if (next.kind === 'end') return requirements
    if (next.text !== ',') throw found(next, ", expected: ',' or 'end of string'")
    const after = tokens.peek()
    if (after.kind !== 'word' && after.text !== '!') throw found(after, ", expected: identifier after ','")
  }
}

function readChecked(tokens: Tokens, check: (requirement: SelectorRequirement) => string | undefined): SelectorRequirement {
  try {
    const requirement = readRequirement(tokens)
    const error = check(requirement)
    if (error !== undefined) throw new SyntaxMessage(error)
    return requirement
  } catch (error) {
    if (error instanceof SyntaxMessage) throw new SyntaxMessage(`unable to parse requirement: ${error.message}`)
    throw error
  }
}

function readRequirement(tokens: Tokens): SelectorRequirement {
  const isNegated = tokens.peek().text === '!'
  if (isNegated) tokens.take()
  const key = tokens.take()
  if (key.kind !== 'word') throw found(key, ', expected: identifier')
  const problems = qualifiedNameProblems(key.text)
  if (problems.length > 0) throw new SyntaxMessage(`<nil>: Invalid value: ${goQuote(key.text)}: ${problems.join('; ')}`)
  if (isNegated) return { key: key.text, operator: '!', values: [] }
  const next = tokens.peek()
  if (next.kind === 'end' || next.text === ',') return { key: key.text, operator: 'exists', values: [] }
  const symbol = tokens.take()
  const operator = Object.hasOwn(operatorsOfSymbols, symbol.text) ? operatorsOfSymbols[symbol.text] : undefined
  if (operator === undefined) throw found(symbol, `, expected: ${operatorList}`)
  const values = operator === 'in' || operator === 'notin' ? readValues(tokens) : [readExactValue(tokens)]
  return { key: key.text, operator, values: [...new Set(values)].sort() }
}

function readExactValue(tokens: Tokens): string {
  const next = tokens.peek()
  if (next.kind === 'end' || next.text === ',') return ''
  const value = tokens.take()
  if (value.kind !== 'word') throw found(value, ', expected: identifier')
  return value.text
}

/** The values between brackets; an empty place between commas is the empty value. */
function readValues(tokens: Tokens): readonly string[] {
  const open = tokens.take()
  if (open.text !== '(') throw found(open, " expected: '('")
  const first = tokens.peek()
  if (first.kind !== 'word' && first.text !== ',' && first.text !== ')') throw found(first, ", expected: ',', ')' or identifier")
  const values: string[] = []
  for (;;) {
    const value = tokens.peek().kind === 'word' ? tokens.take().text : ''
    values.push(value)
    const next = tokens.take()
    if (next.text === ')') return values
    if (next.text === ',') continue
    throw found(next, value === '' ? ", expected: ',', or identifier" : ", expected: ',' or ')'")
  }
}

function found(token: Token, expected: string): SyntaxMessage {
  return new SyntaxMessage(`found '${token.text}'${expected}`)
}
