cmake_minimum_required(VERSION 3.20)
project(store LANGUAGES CXX)
include(tests.cmake)
set(CMAKE_CXX_STANDARD 20)

# INCOMMENT one test per source
function(add_unit_test name)
  if(BUILD_TESTING)
    add_executable(${name} inblock.cpp ${name}.cpp)
    target_link_libraries(${name} PRIVATE store)
  endif()
  add_test(NAME "${name} INSTRING" COMMAND ${name})
endfunction()

add_library(store STATIC cart.cpp order.cpp)
add_unit_test(cart_test)
