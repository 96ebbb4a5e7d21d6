# INCOMMENT the library
project(shop)
set(NAME "INSTRING")
if(BUILD_TESTS)
  add_test(INBLOCK)
endif()
