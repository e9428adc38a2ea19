import { mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { createNode } from '../../src/index.ts'
import { bytesOf } from '../fixtures/colony.ts'
import { startProgram, startWindows } from '../fixtures/page-example.ts'
import type { Node } from '../../src/index.ts'
import type { PageProgram, Windows } from '../fixtures/page-example.ts'
import type { Page } from 'playwright-core'

const MIB = 1024 * 1024

/** What is shown when pictures are taken; each is looked at in both colour schemes. */
const WIDTHS = [360, 1400]
const SCHEMES = ['light', 'dark'] as const

describe('the looks of the page of the example', function () {
  this.timeout(120_000)

  let program: PageProgram
  let windows: Windows
  let nodes: Node[]
  let folder: string

  before(async () => {
    folder = process.env.SCREENSHOTS ?? await mkdtemp(join(tmpdir(), 'formicary-screenshots-'))
    await mkdir(folder, { recursive: true })
    program = await startProgram()
    windows = await startWindows()
    nodes = await Promise.all([member('Ben', 1.5 * MIB), member('Cleo', MIB), member('Dora', 0.5 * MIB)])
  })

  after(async () => {
    await windows[Symbol.asyncDispose]()
    await Promise.all(nodes.map(async node => node.stop()))
    await program.end('SIGTERM')
    console.log(`      Pictures of the page are in ${folder}`)
  })

  /** A member that shares, slowly enough for a picture to be taken. */
  async function member (name: string, uploadLimit: number): Promise<Node> {
    const { network, bootstrap } = await (await fetch(`${program.url}/hub.json`)).json() as { network: string, bootstrap: string[] }
    const node = await createNode({ name, network, bootstrap, iceServers: [], contingency: false, listen: ['/ip4/127.0.0.1/tcp/0/ws'], uploadLimit })
    await Array.fromAsync(node.share({ name: 'The long march of the ants.webm', content: bytesOf(90 * MIB) }))
    await Array.fromAsync(node.share({ name: `Notes of ${name} on where ants go, and what they carry.txt`, content: bytesOf(12_345 + uploadLimit) }))

    return node
  }

  for (const width of WIDTHS) {
    for (const colorScheme of SCHEMES) {
      it(`can be read, used and looked at ${width} pixels wide, in ${colorScheme} colours`, async () => {
        const name = `${width}-${colorScheme}`
        const page = await windows.open(program.url, { viewport: { width, height: 900 }, colorScheme, reducedMotion: 'reduce' })
        await look(page, `${name}-join`)
        await page.getByLabel('What shall others call you?').fill('Ada')
        await page.keyboard.press('Enter')
        await page.locator('#members .member').filter({ hasText: 'Dora' }).waitFor({ timeout: 60_000 })
        await look(page, `${name}-empty`)

        await page.getByLabel('Choose files').setInputFiles({ name: 'Summer 2026.zip', mimeType: '', buffer: Buffer.from(bytesOf(2 * MIB)) })
        await page.getByRole('button', { name: 'Stop sharing Summer 2026.zip' }).waitFor()
        await page.getByLabel('Words of the name').fill('ants')
        await page.keyboard.press('Enter')
        await page.getByText('4 files found').waitFor()
        await page.getByRole('button', { name: /Download Notes of Ben/ }).click()
        await page.getByRole('link', { name: /Save Notes of Ben/ }).waitFor()
        await page.getByRole('button', { name: /Download The long march/ }).click()
        await page.getByText('from 3 sources').waitFor()
        await page.getByRole('img', { name: /^(9|[1-6][0-9]) of 90 pieces here/ }).waitFor()
        await look(page, `${name}-busy`)
        await page.context().close()
        expect(windows.errors).to.deep.equal([])
      })
    }
  }

  async function look (page: Page, name: string): Promise<void> {
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true })
    expect(await page.evaluate(faults), name).to.deep.equal([])
  }
})

/**
 * What makes the page hard to use: a control without a name, or too small to
 * hit; text that is too faint; something wider than the window. Runs in the page.
 */
function faults (): string[] {
  const found: string[] = []
  const visible = (element: Element): boolean => element.checkVisibility() && element.getBoundingClientRect().width > 1

  if (document.documentElement.scrollWidth > innerWidth) {
    found.push(`The page is ${document.documentElement.scrollWidth} pixels wide`)
  }

  for (const control of document.querySelectorAll<HTMLInputElement>('a, button, input, progress, summary, [role="img"]')) {
    const name = control.ariaLabel ?? document.getElementById(control.getAttribute('aria-labelledby') ?? '')?.textContent ?? control.labels?.[0]?.textContent ?? control.textContent

    if (control.checkVisibility() && name.trim() === '') {
      found.push(`No name: ${control.outerHTML}`)
    }

    if (control.tabIndex > 0) {
      found.push(`Out of order: ${control.outerHTML}`)
    }
  }

  for (const control of document.querySelectorAll('a, button, summary, label:has(input[type="file"])')) {
    if (visible(control) && control.getBoundingClientRect().height < 24) {
      found.push(`Too small: ${control.outerHTML}`)
    }
  }

  const rgb = (color: string): number[] => color.match(/[\d.]+/g)?.map(Number) ?? []
  const light = (color: string): number => rgb(color).slice(0, 3)
    .map(value => value / 255)
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0)
  const contrast = (a: string, b: string): number => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05)
  const ground = (element: Element | null): string => {
    const color = element == null ? 'rgb(255, 255, 255)' : getComputedStyle(element).backgroundColor

    return rgb(color)[3] === 0 ? ground(element?.parentElement ?? null) : color
  }

  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].some(({ nodeType, textContent }) => nodeType === 3 && textContent?.trim() !== '')
    const ratio = contrast(getComputedStyle(element).color, ground(element))

    if ((text || element.matches('input')) && visible(element) && ratio < 4.5) {
      found.push(`A contrast of ${ratio.toFixed(2)}: ${element.outerHTML}`)
    }

    const edge = getComputedStyle(element).borderTopColor

    // the edge is what shows where a control is
    if (element.matches('input:not([type="file"], [type="checkbox"]), button, .button, .drop') && visible(element) && contrast(edge, ground(element.parentElement)) < 3) {
      found.push(`A faint edge: ${element.outerHTML}`)
    }
  }

  return found
}
