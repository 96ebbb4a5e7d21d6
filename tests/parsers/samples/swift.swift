import Foundation

// INCOMMENT a stack
struct Stack<Element> {
    private var items: [Element] = []

    mutating func push(_ item: Element) {
        items.append(item)
        print("INSTRING")
        INBLOCK()
    }
}
