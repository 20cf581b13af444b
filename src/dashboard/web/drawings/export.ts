// A drawing as a file: SVG that needs nothing else, with its own colours and its text as text; or PNG, twice as large.

/** What style sheets may say of a shape; as attributes it holds where there is no style sheet. */
const drawnProperties = [
  'fill',
  'fill-opacity',
  'stroke',
  'stroke-width',
  'stroke-dasharray',
  'stroke-linecap',
  'opacity',
  'font-family',
  'font-size',
  'font-weight',
  'text-anchor',
  'dominant-baseline',
] as const

const namespace = 'http://www.w3.org/2000/svg'
const margin = 12

/** The drawing as the text of an SVG file, on the page's ground, with `title` as its name. */
function svgText(drawing: SVGSVGElement, title: string): string {
  const copy = drawing.cloneNode(true)
  if (!(copy instanceof SVGSVGElement)) throw new TypeError('a copy of a drawing is a drawing')
  copyStyles(drawing, copy)
  for (const left of copy.querySelectorAll('[data-not-exported]')) left.remove()
  const { width, height } = drawing.getBoundingClientRect()
  copy.removeAttribute('class')
  copy.removeAttribute('aria-hidden')
  copy.setAttribute('xmlns', namespace)
  copy.setAttribute('width', String(Math.ceil(width + 2 * margin)))
  copy.setAttribute('height', String(Math.ceil(height + 2 * margin)))
  copy.setAttribute('viewBox', `${-margin} ${-margin} ${Math.ceil(width + 2 * margin)} ${Math.ceil(height + 2 * margin)}`)
  copy.prepend(nameOf(title), groundRect(width, height, groundBehind(drawing)))
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(copy)}\n`
}

function nameOf(title: string): SVGTitleElement {
  const name = document.createElementNS(namespace, 'title')
  name.textContent = title
  return name
}

/** The colour that is seen behind it; a picture in a dark theme needs its ground. */
function groundBehind(element: Element | null): string {
  if (element === null) return 'white'
  const { backgroundColor } = getComputedStyle(element)
  const isSeen = backgroundColor !== '' && backgroundColor !== 'transparent' && backgroundColor !== 'rgba(0, 0, 0, 0)'
  return isSeen ? backgroundColor : groundBehind(element.parentElement)
}

function groundRect(width: number, height: number, colour: string): SVGRectElement {
  const ground = document.createElementNS(namespace, 'rect')
  const measures = { x: -margin, y: -margin, width: Math.ceil(width + 2 * margin), height: Math.ceil(height + 2 * margin) }
  for (const [name, value] of Object.entries(measures)) ground.setAttribute(name, String(value))
  ground.setAttribute('fill', colour)
  return ground
}

function copyStyles(from: Element, to: Element): void {
  const style = getComputedStyle(from)
  for (const property of drawnProperties) {
    const value = style.getPropertyValue(property)
    // A pattern's address comes back as the whole address of the page; in the file it is the file's own.
    if (value !== '') to.setAttribute(property, value.replace(/url\("?[^"#)]*#([^")]*)"?\)/, 'url(#$1)'))
  }
  to.removeAttribute('class')
  to.removeAttribute('style')
  for (const [index, child] of [...from.children].entries()) {
    const copy = to.children[index]
    if (copy !== undefined) copyStyles(child, copy)
  }
}

/** Offers the drawing as `name.svg`. */
export function saveSvg(drawing: SVGSVGElement, name: string, title: string): void {
  save(new Blob([svgText(drawing, title)], { type: 'image/svg+xml' }), `${name}.svg`)
}

const pixelsPerPixel = 2

/** Offers the drawing as `name.png`, two pixels for one. @throws Error where the browser cannot draw it */
export async function savePng(drawing: SVGSVGElement, name: string, title: string): Promise<void> {
  const address = URL.createObjectURL(new Blob([svgText(drawing, title)], { type: 'image/svg+xml' }))
  try {
    const image = new Image()
    image.src = address
    await image.decode()
    const canvas = document.createElement('canvas')
    canvas.width = image.naturalWidth * pixelsPerPixel
    canvas.height = image.naturalHeight * pixelsPerPixel
    canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height)
    const blob = await new Promise<Blob | null>(resolve => canvas.toBlob(resolve, 'image/png'))
    if (blob === null) throw new Error('the browser made no picture of the drawing')
    save(blob, `${name}.png`)
  } finally {
    URL.revokeObjectURL(address)
  }
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
