// Lines of a stream as they come, none of them longer than somebody can want.

/** In characters: what is beyond is lost with its line. */
const longestLine = 1_048_576

/** Each line of `pieces`, the last one also without its end. Of lines that are too long nothing comes. */
export async function* linesOf(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let line = ''
  let isTooLong = false
  for await (const piece of pieces) {
    const parts = piece.split('\n')
    for (const [at, part] of parts.entries()) {
      if (at > 0) {
        if (!isTooLong) yield line.endsWith('\r') ? line.slice(0, -1) : line
        line = ''
        isTooLong = false
      }
      isTooLong ||= line.length + part.length > longestLine
      if (!isTooLong) line += part
    }
  }
  if (line !== '' && !isTooLong) yield line
}
