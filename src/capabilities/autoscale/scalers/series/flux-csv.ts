// The first value in annotated CSV, as InfluxDB answers queries of Flux: lines of annotations, a line of names, lines of values.
import { AnswerError } from '#kube/outside-error.ts'
import { numberOf } from '../outgoing.ts'

/** The types of columns that count as numbers; upstream's client reads no other one as such. */
const numbers = new Set(['double', 'long'])
/** Characters of an answer: a query for one number has a few rows. */
const mostCharacters = 64 * 1024

/** `_value` of the first row of the first table. @throws AnswerError where there is no row, or its value is no number */
export function fluxValue(csv: string): number {
  if (csv.length > mostCharacters) throw new AnswerError(`InfluxDB answered with more than ${mostCharacters} characters`)
  let types: readonly string[] | undefined
  let defaults: readonly string[] = []
  let names: readonly string[] | undefined
  for (const record of recordsOf(csv)) {
    const [annotation = ''] = record
    if (record.length < 2) continue
    if (annotation.startsWith('#')) {
      if (annotation === '#datatype') types = record
      if (annotation === '#default') defaults = record
      names = undefined
      continue
    }
    if (types === undefined) throw new AnswerError('InfluxDB answered with no annotated CSV')
    if (names === undefined) {
      names = record
      continue
    }
    // The reason may hold the query.
    if (names[1] === 'error') throw new AnswerError('no results found from query: InfluxDB answered with an error')
    const column = names.indexOf('_value')
    if (column < 0) throw new AnswerError('the first row has no column _value')
    const type = types[column] ?? 'nothing'
    if (!numbers.has(type)) throw new AnswerError(`value of type ${type.slice(0, 40)} could not be converted into a float`)
    return numberOf(record[column] === '' ? defaults[column] : record[column], 'the value of the first row')
  }
  if (csv.trim() !== '' && types === undefined) throw new AnswerError('InfluxDB answered with no annotated CSV')
  throw new AnswerError('no results found from query')
}

const plainCell = /[^",\r\n]*/y

/** As far as they are asked for. */
function* recordsOf(csv: string): Generator<readonly string[], void, undefined> {
  let record: string[] = []
  for (let place = 0; place <= csv.length; place++) {
    const [text, end] = cellAt(csv, place)
    record.push(text)
    place = end
    if (csv[place] === ',') continue
    yield record
    record = []
    if (csv[place] === '\r' && csv[place + 1] === '\n') place++
  }
}

/** Its text, and the place behind it. A quote that nothing closes is an empty cell. */
function cellAt(csv: string, place: number): readonly [string, number] {
  if (csv[place] !== '"') {
    plainCell.lastIndex = place
    const [plain = ''] = plainCell.exec(csv) ?? []
    return [plain, place + plain.length]
  }
  for (let from = place + 1; ; ) {
    const quote = csv.indexOf('"', from)
    if (quote < 0) return ['', place]
    if (csv[quote + 1] !== '"') return [csv.slice(place + 1, quote).replaceAll('""', '"'), quote + 1]
    from = quote + 2
  }
}
