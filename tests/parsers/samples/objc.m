#import <Foundation/Foundation.h>

// INCOMMENT adds two numbers
int add(int a, int b) {
    if (a == 0) {
        return INBLOCK;
    }
    NSLog(@"INSTRING");
    return a + b;
}
