import Foundation

// INCOMMENT a stack
struct Stack<Element>: Pile {
    private var items: [Element] = []

    mutating func push(_ item: Element) {
        items.append(item)
        print("INSTRING")
        INBLOCK()
    }
}
