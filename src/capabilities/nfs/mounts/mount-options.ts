// Options of mounts as lists: classes, volumes and Secrets say several in one text, by commas.

/** Each option alone, in order. */
export const splitOptions = (options: readonly string[]): readonly string[] =>
  options.flatMap(option => option.split(',')).filter(option => option !== '')

/** What an option says last, as mount takes it: `nconnect=16`. */
function lastOf(options: readonly string[], name: string): string | undefined {
  const prefix = `${name}=`
  return splitOptions(options)
    .findLast(option => option.startsWith(prefix))
    ?.slice(prefix.length)
}

function numberOf(options: readonly string[], name: string): number | undefined {
  const value = lastOf(options, name)
  return value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) : undefined
}

/** How many connections were asked for. */
export const askedConnections = (options: readonly string[]): number | undefined => numberOf(options, 'nconnect')
export const portOf = (options: readonly string[]): number | undefined => numberOf(options, 'port')

/** What is wrong with options that users write; undefined where nothing is. */
export function optionsProblem(options: readonly string[]): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters end lines of tables and texts in C
  const wrong = options.find(option => /[\u0000-\u001f\u007f]/.test(option))
  return wrong === undefined ? undefined : `mount option ${JSON.stringify(wrong)} contains a control character`
}
