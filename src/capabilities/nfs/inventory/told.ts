// Names from shares, as people are shown them: whoever may write on a share chooses them.

const longestTold = 200

/** On one line, without what moves a cursor or turns the direction of a text, and not longer than a line is. */
export function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these very characters are replaced
  const safe = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '�')
  return safe.length > longestTold ? `${safe.slice(0, longestTold)}…` : safe
}
