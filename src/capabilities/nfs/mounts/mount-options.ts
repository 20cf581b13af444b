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

/** With these mount(8) asks no server: it shows a folder of the machine, or changes a mount that is there. */
const otherOrders = new Set(
  'bind rbind move remount loop private rprivate shared rshared slave rslave unbindable runbindable'.split(' '),
)

/** What is wrong with options that users write; undefined where nothing is. */
export function optionsProblem(options: readonly string[]): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters end lines of tables and texts in C
  const wrong = options.find(option => /[\u0000-\u001f\u007f]/.test(option))
  if (wrong !== undefined) return `mount option ${JSON.stringify(wrong)} contains a control character`
  const other = splitOptions(options).find(option => otherOrders.has(option.trim().replace(/=.*$/s, '').toLowerCase()))
  return other === undefined
    ? undefined
    : `mount option ${JSON.stringify(other)} is none of a share: nothing of a server is mounted by it`
}
