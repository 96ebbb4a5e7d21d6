// javac's own attribution of a source tree, for evals/context/resolve_child.py.
//
//   java Resolver.java ROOT EMPTY   paths of the sources, relative to ROOT, on standard input; EMPTY is a class path
//
// Prints, separated by tabs, for every name that another source file declares:
//   line, path, line of the declaration, its path, name
//
// Dependencies are missing, so there are errors everywhere: attribution goes on after them.

import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.ImportTree;
import com.sun.source.tree.MemberReferenceTree;
import com.sun.source.tree.MemberSelectTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.lang.model.element.Element;
import javax.lang.model.element.ElementKind;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

public final class Resolver {
    /** Where a declaration's name stands: a path relative to the root, a line from 1; and the name. */
    record Place(String path, long line, String name) {}

    private final Path root;
    private final Trees trees;
    private final SourcePositions positions;
    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final Map<Element, Place> places = new HashMap<>();
    private final Map<CompilationUnitTree, String> texts = new HashMap<>();

    private Resolver(Path root, Trees trees) {
        this.root = root;
        this.trees = trees;
        this.positions = trees.getSourcePositions();
    }

    public static void main(String[] arguments) throws IOException {
        Path root = Path.of(arguments[0]).toAbsolutePath();
        List<Path> files = new ArrayList<>();
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            // Several modules in one compilation would only be errors.
            if (!line.endsWith("module-info.java") && !line.isBlank()) files.add(root.resolve(line));
        }
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        try (StandardJavaFileManager manager = compiler.getStandardFileManager(d -> {}, null, StandardCharsets.UTF_8)) {
            List<String> options = List.of(
                    "-proc:none", "-implicit:none", "-nowarn", "-cp", arguments[1], "-sourcepath", arguments[1],
                    "--should-stop=ifError=ATTR", "--should-stop=ifNoError=ATTR");
            JavacTask task = (JavacTask) compiler.getTask(
                    null, manager, d -> {}, options, null, manager.getJavaFileObjectsFromPaths(files));
            List<CompilationUnitTree> units = new ArrayList<>();
            task.parse().forEach(units::add);
            try {
                task.analyze();
            } catch (RuntimeException | AssertionError error) {
                // javac gave up on broken code: what it had attributed until then still counts.
                System.err.println("javac: " + error);
            }
            Resolver resolver = new Resolver(root, Trees.instance(task));
            for (CompilationUnitTree unit : units) resolver.print(unit);
            resolver.out.flush();
        }
    }

    private void print(CompilationUnitTree unit) {
        String path = relative(unit);
        new TreePathScanner<Void, Void>() {
            @Override
            public Void visitImport(ImportTree node, Void unused) {
                return null;
            }

            @Override
            public Void visitIdentifier(IdentifierTree node, Void unused) {
                report();
                return super.visitIdentifier(node, unused);
            }

            @Override
            public Void visitMemberSelect(MemberSelectTree node, Void unused) {
                report();
                return super.visitMemberSelect(node, unused);
            }

            @Override
            public Void visitMemberReference(MemberReferenceTree node, Void unused) {
                report();
                return super.visitMemberReference(node, unused);
            }

            private void report() {
                Element element = elementAt(getCurrentPath());
                Place place = element == null ? null : placeOf(element);
                if (place == null || place.path().equals(path)) return;
                // A selection ends with its name; it may begin lines above it.
                long end = positions.getEndPosition(unit, getCurrentPath().getLeaf());
                if (end < 0) return;
                long line = unit.getLineMap().getLineNumber(Math.max(0, end - 1));
                out.printf("%d\t%s\t%d\t%s\t%s%n", line, path, place.line(), place.path(), place.name());
            }
        }.scan(unit, null);
    }

    /** What a name means; null where javac does not know, or gives up on broken code. */
    private Element elementAt(TreePath path) {
        try {
            return trees.getElement(path);
        } catch (RuntimeException | AssertionError error) {
            return null;
        }
    }

    /** Where an element is declared in the tree; null outside of it, and for packages. */
    private Place placeOf(Element element) {
        if (element.getKind() == ElementKind.PACKAGE || element.getKind() == ElementKind.MODULE) return null;
        if (!places.containsKey(element)) places.put(element, find(element));
        return places.get(element);
    }

    private Place find(Element element) {
        TreePath declared = trees.getPath(element);
        if (declared == null) {
            // What the compiler adds, such as a default constructor or values(), stands where its class does.
            Element owner = element.getEnclosingElement();
            return owner == null || element.asType().getKind().name().equals("ERROR") ? null : placeOf(owner);
        }
        CompilationUnitTree unit = declared.getCompilationUnit();
        Tree tree = declared.getLeaf();
        long start = positions.getStartPosition(unit, tree);
        String name = element.getSimpleName().toString();
        if (element.getKind() == ElementKind.CONSTRUCTOR) name = element.getEnclosingElement().getSimpleName().toString();
        long after = Math.max(start, endOfWhatIsBefore(unit, tree));
        if (after < 0) return null;
        Matcher word = Pattern.compile("\\b" + Pattern.quote(name) + "\\b").matcher(text(unit));
        long at = word.find((int) after) ? word.start() : after;
        return new Place(relative(unit), unit.getLineMap().getLineNumber(at), name);
    }

    /** The end of the modifiers and of the type, behind which a declaration's name stands; -1 without any. */
    private long endOfWhatIsBefore(CompilationUnitTree unit, Tree tree) {
        if (tree instanceof ClassTree type) return positions.getEndPosition(unit, type.getModifiers());
        if (tree instanceof MethodTree method) {
            long end = positions.getEndPosition(unit, method.getModifiers());
            Tree type = method.getReturnType();
            return type == null ? end : Math.max(end, positions.getEndPosition(unit, type));
        }
        if (tree instanceof VariableTree variable) {
            long end = positions.getEndPosition(unit, variable.getModifiers());
            Tree type = variable.getType();
            // An enum constant's type is made up: it has no place of its own.
            long start = type == null ? -1 : positions.getStartPosition(unit, type);
            boolean isWritten = start >= 0 && start > positions.getStartPosition(unit, tree) - 1
                    && !text(unit).startsWith(variable.getName().toString(), (int) start);
            return isWritten ? Math.max(end, positions.getEndPosition(unit, type)) : end;
        }
        return -1;
    }

    private String text(CompilationUnitTree unit) {
        return texts.computeIfAbsent(unit, each -> {
            try {
                return each.getSourceFile().getCharContent(true).toString();
            } catch (IOException error) {
                return "";
            }
        });
    }

    private String relative(CompilationUnitTree unit) {
        return root.relativize(Path.of(unit.getSourceFile().toUri())).toString().replace('\\', '/');
    }
}
