// TypeScript's language service behind standard input and output, for evals/context/resolve_child.py.
//
//   node typescript.cjs LIBRARY   LIBRARY is the folder of the npm package `typescript`
//
// First line in: {root, files}, paths relative to root; answered by []. Then {path, lines}, lines from 1, answered by
// [line, path, line of the definition, name] for every name on them that another file below root defines.
"use strict"

const fs = require("fs")
const path = require("path")
const readline = require("readline")
const ts = require(process.argv[2])

const NO_PACKAGES = new Set(["node_modules", "dist", "build", "out"])
const MAX_DEPTH = 3

/** Compiler options that find the tree's own modules, whatever its build does; errors do not matter here. */
function optionsOf(root) {
  const options = {
    allowJs: true,
    allowImportingTsExtensions: true,
    jsx: ts.JsxEmit.Preserve,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    target: ts.ScriptTarget.ESNext,
    types: [],
  }
  const paths = packagePaths(root, root, 0)
  for (const name of ["tsconfig.json", "tsconfig.base.json", "jsconfig.json"]) {
    const file = path.join(root, name)
    if (!fs.existsSync(file)) continue
    const config = ts.readConfigFile(file, ts.sys.readFile).config ?? {}
    const parsed = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, root).options
    const base = parsed.baseUrl ?? parsed.pathsBasePath ?? root
    if (parsed.baseUrl !== undefined) options.baseUrl = parsed.baseUrl
    for (const [pattern, places] of Object.entries(parsed.paths ?? {})) {
      paths[pattern] = places.map((place) => path.resolve(base, place))
    }
    break
  }
  return { ...options, paths }
}

/** Names of the tree's packages to their sources: in a workspace without node_modules nothing else says where. */
function packagePaths(root, folder, depth) {
  const found = {}
  let entries = []
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true })
  } catch {
    return found
  }
  for (const entry of entries) {
    if (entry.isDirectory() && depth < MAX_DEPTH && !NO_PACKAGES.has(entry.name) && !entry.name.startsWith(".")) {
      Object.assign(found, packagePaths(root, path.join(folder, entry.name), depth + 1))
    } else if (entry.name === "package.json") {
      const name = packageName(path.join(folder, entry.name))
      if (name) {
        found[name] = ["src/index", "index", "src/main"].map((place) => path.join(folder, place))
        found[`${name}/*`] = ["src/*", "src/*/index", "*"].map((place) => path.join(folder, place))
      }
    }
  }
  return found
}

function packageName(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8")).name
  } catch {
    return undefined
  }
}

function serviceOf(root, files) {
  const options = optionsOf(root)
  const names = files.map((file) => path.join(root, file))
  const host = {
    directoryExists: ts.sys.directoryExists,
    fileExists: ts.sys.fileExists,
    getCompilationSettings: () => options,
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    getDirectories: ts.sys.getDirectories,
    // Nothing ever changes, so that a question does not look at every file again.
    getProjectVersion: () => "1",
    getScriptFileNames: () => names,
    getScriptSnapshot: (file) => {
      const text = ts.sys.readFile(file)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getScriptVersion: () => "1",
    readDirectory: ts.sys.readDirectory,
    readFile: ts.sys.readFile,
  }
  return ts.createLanguageService(host)
}

/** Rows for the names on the asked lines of a file. */
function usesOf(service, root, relative, lines) {
  const file = path.join(root, relative)
  const program = service.getProgram()
  const source = program.getSourceFile(file)
  if (source === undefined) return []
  const asked = new Set(lines)
  const rows = []
  const visit = (node) => {
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) {
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
      const row = asked.has(line) ? definitionOf(service, program, root, file, node.getStart(source)) : undefined
      if (row !== undefined) rows.push([line, ...row])
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return rows
}

/** [path, line, name] of the first definition; undefined when the same file has one, or none is below root. */
function definitionOf(service, program, root, file, position) {
  // A module, whose name is its quoted path, is no definition, nor is an index signature, which has none.
  const found = (service.getDefinitionAtPosition(file, position) ?? []).filter(
    (each) => !each.name.startsWith('"') && each.name !== "__index",
  )
  if (found.some((each) => path.resolve(each.fileName) === path.resolve(file))) return undefined
  for (const each of found) {
    const relative = path.relative(root, each.fileName).split(path.sep).join("/")
    const source = program.getSourceFile(each.fileName)
    if (relative.startsWith("..") || relative.includes("node_modules/") || source === undefined) continue
    return [relative, source.getLineAndCharacterOfPosition(each.textSpan.start).line + 1, each.name]
  }
  return undefined
}

async function main() {
  let service, root
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const question = JSON.parse(line)
    let answer = []
    if (question.root !== undefined) {
      root = question.root
      service = serviceOf(root, question.files)
    } else {
      answer = usesOf(service, root, question.path, question.lines)
    }
    process.stdout.write(JSON.stringify(answer) + "\n")
  }
}

main()
